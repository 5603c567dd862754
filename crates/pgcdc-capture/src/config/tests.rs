use super::*;

#[test]
fn x() {
    let s = Settings::from_source_url("postgres://u:pw@h/db", &[]).unwrap();
    println!("{s:?}");
}
