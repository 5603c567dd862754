//! A connection pooler in between. It cannot carry replication, and some ways to set one up lose settings.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::process::Command;

use pgcdc_testbed::{Process, ports, tools};

use super::{assert_refused, capture, server};
use crate::harness::{LONG, eventually, scratch_dir};

#[test]
fn a_pooler_is_named_as_the_likely_cause() {
    tools::ensure("pgbouncer", "pgbouncer").expect("pgbouncer can be had");
    let server = server("host all all 127.0.0.1/32 trust");
    for (mode, ignored, said) in [
        ("session", "", "options"),
        ("session", "extra_float_digits,options", "replication"),
        ("transaction", "extra_float_digits,options", "replication"),
    ] {
        // pgbouncer does not run as root: it goes on as nobody, who has to reach its files.
        let dir =
            std::path::PathBuf::from(format!("/tmp/pgcdc-pgbouncer-{}", ports::free().expect("a port")));
        fs::create_dir_all(&dir).expect("a directory");
        fs::set_permissions(&dir, fs::Permissions::from_mode(0o777)).expect("its mode");
        let port = ports::free().expect("a port");
        let ini = format!(
            "[databases]\npostgres = host=127.0.0.1 port={}\n[pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = {port}\n\
             unix_socket_dir =\nauth_type = any\npool_mode = {mode}\nignore_startup_parameters = {ignored}\n\
             logfile = {}/log\n",
            server.port(),
            dir.display()
        );
        let ini = ini.replace("postgres = host", "postgres = user=postgres host");
        fs::write(dir.join("pgbouncer.ini"), ini).expect("its configuration");
        let mut command = Command::new("pgbouncer");
        command.args(["-q", "-u", "nobody"]).arg(dir.join("pgbouncer.ini"));
        let mut pooler = Process::spawn(command, dir.join("stderr")).expect("pgbouncer starts");
        eventually(LONG, "pgbouncer answers", || std::net::TcpStream::connect(("127.0.0.1", port)).is_ok());

        let url = format!("postgres://postgres@127.0.0.1:{port}/postgres?sslmode=disable");
        let ours = capture(&scratch_dir("home"), &[], &["--source", &url, "--tables", "public.t"]);
        assert_refused(mode, &ours, &["unsupported startup parameter", said, "pooler", "database.hostname"]);
        pooler.kill9().expect("pgbouncer ends");
        fs::remove_dir_all(dir).expect("the directory goes");
    }
}
