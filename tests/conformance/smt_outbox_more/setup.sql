CREATE TABLE outbox(id uuid PRIMARY KEY, aggregatetype text NOT NULL, aggregateid text NOT NULL, type text, payload text, at timestamp(3), num int, tenant text);
