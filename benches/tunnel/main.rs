//! `cargo bench`: how fast and how light the daemon is, as one table.
//!
//! Everything runs on this machine: the daemon whole, in this process or as a child, and the simulator in this process.
//! So figures are of client, service and agent together on the same cores. Where a plain TCP connection does the same
//! job, it is measured in the same run, and the ratio is what can be compared between machines. Nothing is asserted:
//! a busy machine makes figures worse, and the table says which ones missed their targets.
//!
//! `cargo bench -- WORD…` measures only what has one of the words in its name.

mod carry;
mod child;
mod ctl;
mod outage;
mod pace;
mod private;
mod procfs;
mod shell;
mod stage;
mod start;
mod table;

use table::Table;

fn main() -> anyhow::Result<()> {
    let words = std::env::args()
        .skip(1)
        .filter(|word| !word.starts_with('-'));
    let mut table = Table::new(words.collect());
    let runtime = tokio::runtime::Runtime::new()?;
    runtime.block_on(async {
        // Children first: later measures would share the machine with what earlier ones left behind.
        child::idle(&mut table).await?;
        child::starts(&mut table).await?;
        child::crowd(&mut table).await?;
        ctl::round_trips(&mut table).await?;
        ctl::crowded_calls(&mut table).await?;
        start::cold_starts(&mut table).await?;
        pace::share(&mut table).await?;
        shell::keys_and_output(&mut table).await?;
        outage::first_bytes(&mut table).await?;
        outage::recoveries(&mut table).await?;
        carry::ping_pong(&mut table).await?;
        carry::bulk(&mut table).await
    })?;
    print!("{table}");
    Ok(())
}
