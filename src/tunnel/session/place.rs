//! Where a session leads. For a database that is named by its id that is the first thing to find out.

use super::Session;
use crate::session::{Trouble, TroubleKind, trouble};
use crate::status::Reason;
use crate::tunnel::remote::Place;

impl Session {
    /// Found once, for all attempts to start. Unlike StartSession it leaves nothing behind, so it is broken off when the
    /// session is no longer wanted.
    pub(super) async fn place(&mut self) -> Result<Place, Trouble> {
        if let Some(place) = &self.place {
            return Ok(place.clone());
        }
        let remote = &self.context.tunnel.remote;
        let place = tokio::select! {
            found = Place::find(remote, &self.context.aws) => found.map_err(trouble)?,
            () = self.mailbox.end.cancelled() => {
                self.lifecycle.handle_end();
                let reason = Reason::new("tunnel_down", "asked to end");
                return Err(Trouble { reason, kind: TroubleKind::Final });
            }
        };
        let shown = place.shown(remote);
        self.mailbox.view.update(|view| view.remote = shown);
        self.place = Some(place.clone());
        Ok(place)
    }
}
