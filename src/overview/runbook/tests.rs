use super::*;

#[test]
fn a_heading_has_the_address_that_viewers_give_it() {
    assert_eq!(anchor("2. Monitoring & Alerts"), "2-monitoring--alerts");
    assert_eq!(anchor("1. Backups"), "1-backups");
}
