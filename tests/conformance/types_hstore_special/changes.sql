INSERT INTO t VALUES (1,'"a b"=>"c, d", e=>NULL, "f"=>"NULL", "g\"h"=>"i\\j", "k=>l"=>""',ARRAY['x=>1, y=>NULL','']::hstore[]);
INSERT INTO t VALUES (2,hstore('é','ü😀')||hstore('nl',E'a\nb\tc'),NULL);
UPDATE t SET h=h||'z=>9' WHERE id=1;
