INSERT INTO t(id,u,t,v,c,by,j,jb,x,h,ct,n,ta,ia,ba,ua,da,bya,ja,na,tza,ea,ha,tv,vb,tn,k) SELECT 1,1,repeat('t',2400), repeat('v',2400), repeat('c',2400), decode(repeat('ab',2400),'hex'), ('"'||repeat('j',2400)||'"')::json, ('"'||repeat('j',2400)||'"')::jsonb, ('<x>'||repeat('x',2400)||'</x>')::xml, hstore('k',repeat('h',2400)), repeat('C',2400)::citext, repeat('1234567890',1200)::numeric, ARRAY[repeat('a',2400),NULL], array_fill(7,ARRAY[600]), array_fill(7::bigint,ARRAY[300]), array_fill('a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11'::uuid,ARRAY[150]), array_fill('2024-01-01'::date,ARRAY[600]), ARRAY[decode(repeat('cd',2400),'hex')], ARRAY[('"'||repeat('j',2400)||'"')::jsonb], array_fill(1.5,ARRAY[300])::numeric(20,2)[], array_fill('2024-01-01 00:00+00'::timestamptz,ARRAY[300]), array_fill('ok'::mood,ARRAY[600]), ARRAY[hstore('k',repeat('h',2400))], ('''a'':'||1)::tsvector || array_to_tsvector(ARRAY[repeat('w',2000)]||ARRAY(SELECT repeat('w',1000)||g FROM generate_series(1,2) g)), repeat('10',9600)::varbit, repeat('d',2400),0;
UPDATE t SET k=1;
UPDATE t SET t='short', k=2;
UPDATE t SET u=2;
UPDATE t SET id=2;
DELETE FROM t;
