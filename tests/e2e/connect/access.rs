//! Who may reach the interface.

use pgcdc_testbed::Process;

use crate::connect::worker::Worker;
use crate::harness::{pgcdc, scratch_dir};

#[test]
fn strangers_are_kept_out() {
    let state = scratch_dir("state").display().to_string();
    let refused = pgcdc(&["serve", "--listen", "0.0.0.0:0", "--dir", &state]);
    assert_eq!(refused.code, 2, "{}", refused.text());
    assert!(refused.stderr.contains("--users-file"), "{}", refused.text());

    let users = scratch_dir("users").join("users");
    std::fs::write(&users, "me:open sesame\n").expect("written");
    let worker = Worker::start(&["--users-file", &users.display().to_string()]);
    let answer = worker.ask("GET", "/connectors", None, 401);
    assert_eq!(answer["error_code"], 401);
    stop(worker.process);
}

fn stop(mut process: Process) {
    let status = process.sigterm_and_wait(crate::harness::LONG).expect("it ends");
    assert!(status.success() && !process.stderr().contains("sesame"), "{status} {}", process.stderr());
}
