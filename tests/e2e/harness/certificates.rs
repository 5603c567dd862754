//! Certificates for tests, made by openssl at each run.

use std::path::{Path, PathBuf};
use std::process::Command;

use pgcdc_testbed::tools;

/// Makes an authority's certificate; its key lies beside it.
#[track_caller]
pub(crate) fn authority(dir: &Path, name: &str) -> PathBuf {
    openssl(
        dir,
        &format!(
            "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN={name} -keyout {name}.key -out {name}.pem"
        ),
    );
    dir.join(format!("{name}.pem"))
}

/// Makes a certificate that the authority has signed, for this name (such as `IP:127.0.0.1` or `DNS:node`), and its key.
#[track_caller]
pub(crate) fn signed(dir: &Path, authority: &Path, file: &str, name: &str) -> (PathBuf, PathBuf) {
    std::fs::write(dir.join("extensions"), format!("subjectAltName={name}\n")).expect("a file");
    openssl(
        dir,
        &format!(
            "req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj /CN={file} -keyout {file}.key -out {file}.csr"
        ),
    );
    openssl(
        dir,
        &format!(
            "x509 -req -in {file}.csr -days 2 -CA {} -CAkey {} -CAcreateserial -extfile extensions -out {file}.pem",
            authority.display(),
            authority.with_extension("key").display()
        ),
    );
    (dir.join(format!("{file}.pem")), dir.join(format!("{file}.key")))
}

#[track_caller]
fn openssl(dir: &Path, arguments: &str) {
    let program = tools::ensure("openssl", "openssl").expect("openssl can be had");
    let output = Command::new(program).args(arguments.split(' ')).current_dir(dir).output().expect("it runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}
