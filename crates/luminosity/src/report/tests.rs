use super::testing::{expected, records};
use super::*;

#[test]
fn look() {
    let w = write(&records(), &expected(), Path::new("/tmp/report-look")).unwrap();
    println!("{}\n{:?}", w.summary, w.missing);
}
