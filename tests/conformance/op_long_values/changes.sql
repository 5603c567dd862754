INSERT INTO t VALUES (1,repeat('é"\',100000),decode(repeat('00ff',150000),'hex'));
