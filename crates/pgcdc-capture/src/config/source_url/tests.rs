use super::*;
use crate::config::{ChannelBinding, Settings, SslMode, TargetServer};

fn settings(url: &str, env: &[(&str, &str)]) -> Result<Settings, ConfigError> {
    let env = |name: &str| env.iter().find(|(n, _)| *n == name).map(|(_, value)| (*value).to_owned());
    Settings::from_document(&from_url_in(url, &[], &env)?)
}

#[test]
fn parameters_of_libpq_mean_what_they_mean_there() {
    let url = "postgresql://u@h1,h2:5433,[::1]/d?sslmode=require&channel_binding=require&connect_timeout=1\
               &application_name=app&options=-c%20work_mem%3D1MB&target_session_attrs=read-write\
               &load_balance_hosts=random&keepalives=0&keepalives_idle=7&tcp_user_timeout=900&gssencmode=prefer";
    let c = settings(url, &[]).unwrap().connection;
    let hosts: Vec<_> = c.hosts.iter().map(|h| (&*h.name, h.port)).collect();
    assert_eq!(hosts, [("h1", 5432), ("h2", 5433), ("::1", 5432)]);
    assert_eq!((c.ssl.mode, c.channel_binding), (SslMode::Require, ChannelBinding::Require));
    assert_eq!(c.connect_timeout, Some(std::time::Duration::from_secs(2)));
    assert_eq!((&*c.application_name, &*c.options), ("app", "-c work_mem=1MB"));
    assert_eq!((c.target, c.load_balance), (TargetServer::ReadWrite, true));
    assert!(!c.keepalive.on);
    assert_eq!(c.keepalive.idle, Some(std::time::Duration::from_secs(7)));
    assert_eq!(c.keepalive.user_timeout, Some(std::time::Duration::from_millis(900)));
    let plain = settings("postgres://h/d", &[]).unwrap().connection;
    assert_eq!((&*plain.application_name, plain.connect_timeout), ("pgcdc", None));
    let fallback = settings("postgres://h/d?fallback_application_name=f", &[]).unwrap().connection;
    assert_eq!(&*fallback.application_name, "f");
}

#[test]
fn the_environment_stands_in_for_what_the_url_does_not_say() {
    let env = [("PGPASSWORD", "secret"), ("PGSSLMODE", "disable"), ("PGHOST", "/run"), ("PGUSER", "x")];
    let c = settings("postgres:///d?sslmode=prefer", &env).unwrap().connection;
    assert_eq!(c.password.as_ref().map(|p| p.expose()), Some("secret"));
    assert_eq!((c.ssl.mode, &*c.hosts[0].name, &*c.user), (SslMode::Prefer, "/run", "x"));
    assert!(c.hosts[0].is_unix());
}

#[test]
fn what_has_nothing_to_act_on_is_a_warning() {
    let settings =
        settings("postgres://h/d?krbsrvname=x&client_encoding=UTF8&sslcertmode=allow", &[]).unwrap();
    let keys: Vec<_> = settings.warnings.iter().map(|warning| &*warning.key).collect();
    assert_eq!(keys, ["database.krbsrvname"]);
}

#[test]
fn what_is_not_done_is_said_with_its_name() {
    let check = |query: &str, said: &str| {
        let error = settings(&format!("postgres://u:hunter2@h/d?{query}"), &[]).unwrap_err().to_string();
        assert!(error.contains(said) && error.contains("hint: ") && !error.contains("hunter2"), "{error}");
    };
    check("replication=database", "replication");
    check("sslmod=require", "did you mean sslmode?");
    check("colour=red", "unknown parameter colour");
    check("service=x", "service");
    check("sslcrl=/x", "sslcrl");
    check("requirepeer=postgres", "requirepeer");
    check("gssencmode=require", "gssencmode");
    check("sslrootcert=system&sslmode=require", "verify-full");
    check("sslnegotiation=direct", "sslmode=require");
    check("target_session_attrs=best", "targetServerType");
    check("port=1,2", "2 ports for 1 hosts");
    check("channel_binding=always", "channelBinding");
    check("sslcertmode=require", "sslcertmode");
}
