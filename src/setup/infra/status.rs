//! `bastiond infra status`: the stack, and what it tells of itself.

use std::process::ExitCode;

use super::{account_of, connect};
use crate::{cli, setup::account::fatal, setup::ask::Person};

/// Not found, as with `ctl`.
const ABSENT: u8 = 4;

/// Prints it.
pub(super) async fn run(options: cli::InfraStatus) -> anyhow::Result<ExitCode> {
    let mut account = account_of(&options.aws);
    let aws = connect(&mut account, &Person::at_the_terminal()).await?;
    let Some(stack) = aws.stack(&options.stack).await.map_err(fatal)? else {
        eprintln!("there is no stack `{}` in {}", options.stack, aws.region());
        return Ok(ExitCode::from(ABSENT));
    };
    println!("{:<20}{}", stack.name, stack.status);
    if let Some(reason) = &stack.reason {
        println!("{:<20}{reason}", "");
    }
    for (key, value) in &stack.outputs {
        println!("{key:<20}{value}");
    }
    Ok(ExitCode::SUCCESS)
}
