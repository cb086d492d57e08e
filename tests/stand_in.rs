//! The AWS stand-in itself.
#[path = "support/aws.rs"]
mod aws;

use aws::{Seed, StandIn};

#[test]
fn an_account_is_made() {
    let account = StandIn::shared().account(Seed::users(3, 1));
    assert_eq!(account.truth()["users"].as_array().unwrap().len(), 3);
}
