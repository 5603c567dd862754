#!/usr/bin/env python3
"""Makes the fixtures beside this file: what PostgreSQL prints joined with what Debezium 3.7.0 wrote.

usage: record.py GOLDEN_DIR [SCENARIO...]     env: PGPORT (a scratch PostgreSQL 15 with wal_level=logical)
Each scenario's SQL runs in a database of its own; pgoutput gives every column's text; the recorded
out.VARIANT.jsonl gives, byte for byte, every field's value and schema. A variant holds only what
differs from the first one."""
import json, os, subprocess, struct, sys
HERE = os.path.dirname(os.path.abspath(__file__))
# Values that the server makes up: their text differs from run to run.
VOLATILE = {('types_defaults','t','tn'),('types_defaults','t','ug'),('types_defaults','t','dn'),('types_defaults','tnn','tn'),
            ('types_defaults','tnn','dn'),('types_defaults','tnn','ts'),('types_defaults','tnn','u')}
SCENARIOS = [d for d in '''types_int types_float types_text types_numeric types_numeric_special types_numeric_infinity types_money
types_uuid_json_xml types_bytea types_bit types_temporal types_temporal_special types_temporal_extreme types_interval types_enum
types_domain types_array types_array_lowerbound types_composite types_defaults types_generated types_geometric types_hstore types_ltree
types_net types_null types_range types_search_oid dml_toast conv_json_decimal ddl_add_column ddl_not_null_default
ddl_change_type types_pk snapshot_types snapshot_types_special'''.split()]
KEEP = ('decimal.handling.mode','time.precision.mode','binary.handling.mode','interval.handling.mode','hstore.handling.mode',
        'money.fraction.digits','include.unknown.datatypes','unavailable.value.placeholder','value.converter.decimal.format',
        'value.converter.replace.null.with.default')
ENV = {**os.environ, 'PGCLIENTENCODING': 'UTF8', 'PGTZ': 'UTC', 'PGHOST': '127.0.0.1', 'PGUSER': 'postgres', 'PGPORT': os.environ.get('PGPORT', '25432')}
def psql(db, sql):
    r = subprocess.run(['psql', '-qAtX', '-v', 'ON_ERROR_STOP=1', '-d', db, '-f', '-'], input=sql, capture_output=True, text=True, env=ENV)
    if r.returncode: raise RuntimeError(r.stderr + sql[:300])
    return r.stdout

TYPES = """select json_object_agg(oid, json_build_object('oid',oid::bigint,'schema',typnamespace::regnamespace::text,'name',typname,'type',typtype,
 'elem',typelem::bigint,'array',(typcategory='A' and typsubscript::text='array_subscript_handler'),'base',typbasetype::bigint,'typmod',typtypmod,
 'labels',(select json_agg(enumlabel order by enumsortorder) from pg_enum where enumtypid=t.oid))) from pg_type t"""
COLUMNS = """select coalesce(json_agg(json_build_object('table',c.relname,'name',attname,'oid',atttypid::bigint,'typmod',atttypmod,'not_null',attnotnull,
 'default',pg_get_expr(adbin,adrelid),'generated',attgenerated<>'') order by c.oid,attnum),'[]') from pg_attribute a join pg_class c on c.oid=attrelid
 left join pg_attrdef on adrelid=attrelid and adnum=attnum where relkind='r' and relnamespace='public'::regnamespace and attnum>0 and not attisdropped"""
def resolve(types, oid):
    t = types[str(oid)]; out = {'oid': t['oid'], 'schema': t['schema'], 'name': t['name']}
    if t['type'] == 'e': out['enum'] = t['labels']
    elif t['type'] == 'd': out['domain'] = resolve(types, t['base']); out['typmod'] = t['typmod']
    elif t['array']: out['array'] = resolve(types, t['elem'])
    elif t['type'] in 'crm': out['kind'] = {'c': 'composite', 'r': 'range', 'm': 'multirange'}[t['type']]
    return out

def catalog(db, name):
    types = json.loads(psql(db, TYPES)); cols = json.loads(psql(db, COLUMNS))
    for c in cols: c['type'] = resolve(types, c.pop('oid')); c['volatile'] = (name, c['table'], c['name']) in VOLATILE
    return cols

def pgoutput(db):
    rows, rel = [], {}
    for line in psql(db, "select encode(data,'hex') from pg_logical_slot_get_binary_changes('rec_'||current_database(),null,null,'proto_version','1','publication_names','pub')").split():
        b = bytes.fromhex(line); at = 1
        def take(n):
            nonlocal at
            at += n; return b[at-n:at]
        def cstr():
            nonlocal at
            e = b.index(b'\0', at); s = b[at:e].decode(); at = e+1; return s
        def tuple_():
            r = []
            for _ in range(struct.unpack('>H', take(2))[0]):
                k = take(1)
                if k == b't': r.append(take(struct.unpack('>I', take(4))[0]).decode())
                else: r.append(None if k == b'n' else {'unchanged': True})
            return r
        if b[:1] == b'R':
            o = take(4); cstr(); name = cstr(); take(1); cols = []
            for _ in range(struct.unpack('>H', take(2))[0]): take(1); cols.append(cstr()); take(8)
            rel[o] = (name, cols)
        elif b[:1] in b'IUD':
            name, cols = rel[take(4)]; old = new = None; k = take(1)
            if k in b'KO': old = tuple_(); k = take(1) if at < len(b) else b''
            if k == b'N': new = tuple_()
            rows.append({'table': name, 'columns': cols, 'op': b[:1].decode(), 'old': old, 'new': new})
    return rows

DEC = json.JSONDecoder()
def members(s):
    """A JSON object's members as raw text, in order."""
    out, i = {}, 1
    while s[i] != '}':
        if s[i] == ',': i += 1
        k, e = DEC.raw_decode(s, i); v, e2 = DEC.raw_decode(s, e+1); out[k] = s[e+1:e2]; i = e2
    return out
def elements(s):
    out, i = [], 1
    while s[i] != ']':
        if s[i] == ',': i += 1
        _, e = DEC.raw_decode(s, i); out.append(s[i:e]); i = e
    return out

def record(golden, name):
    d = f'{golden}/{name}'; db = 'rec_' + name
    psql('postgres', f"select pg_drop_replication_slot(slot_name) from pg_replication_slots where slot_name='rec_{db}'")
    psql('postgres', f'drop database if exists {db} with (force)'); psql('postgres', f"create database {db} template template0 encoding 'UTF8'")
    psql(db, open(d + '/setup.sql').read()); psql(db, 'create publication pub for all tables')
    psql(db, f"select pg_create_logical_replication_slot('rec_{db}','pgoutput')")
    rows, columns = [], []
    if name.startswith('snapshot_'):
        columns = catalog(db, name); by = list(range(len(columns)))
        for line in psql(db, 'copy t to stdout').splitlines():
            rows.append({'columns': by, 'after': [None if f == '\\N' else f.replace('\\\\', '\\') for f in line.split('\t')], 'snapshot': True})
    for chunk in open(d + '/changes.sql').read().split('-- wait'):
        psql(db, chunk); ids = {}
        for c in catalog(db, name):
            if c not in columns: columns.append(c)
            ids[(c['table'], c['name'])] = columns.index(c)
        for r in pgoutput(db):
            by = [ids.get((r['table'], n)) for n in r['columns']]
            if r['op'] == 'U' and r['old'] and any(o is not None and o != n for o, n in zip(r['old'], r['new'])): # a new key: Debezium writes a delete and a create
                rows.append({'columns': by, 'before': r['old']}); rows.append({'columns': by, 'after': r['new'], 'rest': r['old']})
            else: rows.append({'columns': by, **({'before': r['old']} if r['old'] else {}), **({'after': r['new'], 'rest': r['old']} if r['new'] else {})})
    for r in rows: # an unchanged value that the old image has is taken from there
        rest = r.pop('rest', None)
        if rest: r['after'] = [o if isinstance(v, dict) and o is not None and not isinstance(o, dict) else v for v, o in zip(r['after'], rest)]
    psql(db, f"select pg_drop_replication_slot('rec_{db}')"); psql('postgres', f'drop database {db} with (force)')
    variants, first = [], None
    given = json.load(open(d + '/variants.json'))
    for v, over in sorted(given.items(), key=lambda x: (x[0] != 'schemas', x[0])):
        if v == 'nowait' or not os.path.exists(f'{d}/out.{v}.jsonl'): continue
        values, schemas, n = {}, {}, 0
        records = [json.loads(l)['value'] for l in open(f'{d}/out.{v}.jsonl')]
        records = sorted((r for r in records if r is not None), key=lambda r: json.loads(r).get('payload', json.loads(r))['source']['lsn'])
        order = 0
        for raw in records:
            m = members(raw); sch = None
            if 'payload' in m and 'schema' in m: sch = m['schema']; m = members(m['payload'])
            if 'after' not in m: continue
            row = rows[n]
            for side in ('before', 'after'):
                if m[side] == 'null' or side not in row: continue
                fields = members(m[side])
                for col in row['columns']:
                    values[f'{n}.{side}.{col}'] = fields.get(columns[col]['name'])
                if sch:
                    f = next(x for x in elements(members(sch)['fields']) if json.loads(x)['field'] == side)
                    f = {json.loads(x)['field']: x for x in elements(members(f)['fields'])}
                    for col in row['columns']: schemas[str(col)] = f.get(columns[col]['name'])
            n += 1
        assert n == len(rows), (name, v, n, len(rows))
        if first is None: first = (values, schemas)
        else: values = {k: x for k, x in values.items() if first[0].get(k, '') != x}; schemas = {k: x for k, x in schemas.items() if first[1].get(k, '') != x}
        props = {k: x for k, x in {**json.load(open(d + '/connector.json')), **over}.items() if k in KEEP}
        if len(variants) and not values and not schemas and not props: continue
        variants.append({'name': v, 'properties': props, 'values': values, 'schemas': schemas})
    text = json.dumps({'columns': columns, 'rows': rows, 'variants': variants}, ensure_ascii=False, indent=0)
    open(f'{HERE}/{name}.json', 'w').write(text + '\n'); print(name, len(rows), [v['name'] for v in variants], len(text))
for s in sys.argv[2:] or SCENARIOS: record(sys.argv[1], s)
