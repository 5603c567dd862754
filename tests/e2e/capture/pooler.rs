//! A pooler that takes no startup options: the settings of a session are then fixed after the login.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::thread;

use super::run_until_idle;
use crate::harness::Database;

/// Passes sessions on, but for those that ask for `options`: these are refused in the words of PgBouncer.
fn strict_pooler(server: u16) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let port = listener.local_addr().expect("an address").port();
    thread::spawn(move || {
        for client in listener.incoming().flatten() {
            thread::spawn(move || serve(client, server));
        }
    });
    port
}

fn serve(mut client: TcpStream, server: u16) -> std::io::Result<()> {
    let startup = loop {
        let message = startup_message(&mut client)?;
        // An SSLRequest: no.
        if message.get(4..8) == Some(&[4, 210, 22, 47]) {
            client.write_all(b"N")?;
            continue;
        }
        break message;
    };
    if startup.windows(9).any(|part| part == b"\0options\0") {
        let fields = b"SFATAL\0VFATAL\0C08P01\0Munsupported startup parameter: options\0\0";
        let length = u32::try_from(fields.len() + 4).expect("short");
        client.write_all(&[b"E".as_slice(), &length.to_be_bytes(), fields].concat())?;
        return client.shutdown(Shutdown::Both);
    }
    let mut server = TcpStream::connect(("127.0.0.1", server))?;
    server.write_all(&startup)?;
    let (mut from, mut to) = (client.try_clone()?, server.try_clone()?);
    thread::spawn(move || {
        let _ = std::io::copy(&mut from, &mut to);
        to.shutdown(Shutdown::Write)
    });
    std::io::copy(&mut server, &mut client)?;
    client.shutdown(Shutdown::Both)
}

fn startup_message(client: &mut TcpStream) -> std::io::Result<Vec<u8>> {
    let mut message = vec![0; 4];
    client.read_exact(&mut message)?;
    let length = u32::from_be_bytes([message[0], message[1], message[2], message[3]]) as usize;
    message.resize(length, 0);
    client.read_exact(&mut message[4..])?;
    Ok(message)
}

#[test]
fn that_takes_no_options_is_worked_with() {
    let database = Database::create("pooler");
    let role = format!("{}_role", database.name);
    database.sql(&format!(
        "CREATE ROLE {role} LOGIN SUPERUSER; ALTER ROLE {role} SET extra_float_digits = 0;
         ALTER ROLE {role} SET datestyle = 'German'; ALTER ROLE {role} SET timezone = 'Asia/Kathmandu';
         CREATE TABLE t(id int PRIMARY KEY, f float8, d date, z timestamptz);
         INSERT INTO t VALUES (1, 0.1::float8 + 0.2, '2024-02-29', '2024-02-29 12:00+00')"
    ));
    let connector = database
        .connector()
        .set("database.port", &strict_pooler(database.server.port).to_string())
        .set("database.user", &role);
    let (mut found, said) = run_until_idle(&connector);
    assert!(said.contains("a pooler takes no startup options"), "{said}");
    database.sql("INSERT INTO t SELECT 2, f, d, z FROM t");
    found.extend(run_until_idle(&connector).0);
    let row =
        |id| format!(r#"{{"id":{id},"f":0.30000000000000004,"d":19782,"z":"2024-02-29T12:00:00.000000Z"}}"#);
    let found: Vec<String> = found.iter().map(|value| value["after"].to_string()).collect();
    assert_eq!(found, [row(1), row(2)]);
}
