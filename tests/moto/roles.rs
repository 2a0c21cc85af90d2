//! Roles in moto: assumed by the caller's own name, and chains of them.

use crate::{
    caller,
    server::{Server, is_installed},
};

#[tokio::test]
async fn a_role_is_assumed_by_the_callers_own_name() {
    if !is_installed() {
        return;
    }
    let moto = Server::start();
    let role = "role_arn = \"arn:aws:iam::123456789012:role/my_role-1\"\nexternal_id = \"an-id\"\nrole_duration = \"15m\"";
    let identity = caller(&moto, role)
        .await
        .identity()
        .await
        .expect("an identity");
    assert_eq!(identity.account, "123456789012");
    assert!(
        identity
            .arn
            .ends_with(":assumed-role/my_role-1/bastiond-me"),
        "{}",
        identity.arn
    );
}

/// The role is of another account, and databases are looked for there.
#[tokio::test]
async fn a_role_of_another_account_sees_what_is_there() {
    if !is_installed() {
        return;
    }
    let moto = Server::start();
    let role = "role_arn = \"arn:aws:iam::210987654321:role/there\"";
    let aws = caller(&moto, role).await;
    let identity = aws.identity().await.expect("an identity");
    assert_eq!(identity.account, "210987654321");
    let here = caller(&moto, "")
        .await
        .identity()
        .await
        .expect("an identity");
    assert_ne!(here.account, identity.account);
}
