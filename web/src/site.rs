//! The site: what all handlers share, and serving it until the end.

use std::{net::SocketAddr, sync::Arc};

use axum::extract::FromRef;
use pulldrill_lab::Lab;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::{
    WebError,
    gate::Gate,
    pages::{Fragments, Pages},
    routes,
};

/// What every handler can reach.
#[derive(Clone)]
pub(crate) struct Site {
    pub(crate) lab: Lab,
    pub(crate) pages: Arc<Pages>,
    pub(crate) fragments: Arc<Fragments>,
    /// Cancelled by the shutdown call; ends the streams and the server.
    pub(crate) stop: CancellationToken,
}

impl FromRef<Site> for Lab {
    fn from_ref(site: &Site) -> Self {
        site.lab.clone()
    }
}

/// Serves the lab's pages and JSON API. Returns when `stop` is cancelled, by the caller or by a client that
/// may shut the lab down, and open answers are finished.
///
/// # Errors
/// [`WebError`] when the templates are broken or the listener fails.
pub async fn serve(listener: TcpListener, lab: Lab, stop: CancellationToken) -> Result<(), WebError> {
    let address = listener.local_addr()?;
    let audience = {
        let lab = lab.clone();
        move |token: Option<&str>| lab.audience_of(token)
    };
    let gate = Gate::new(address.ip(), audience);
    let site = Site { lab, pages: Arc::new(Pages::new()?), fragments: Arc::default(), stop: stop.clone() };
    let app = routes::router(site, &gate).into_make_service_with_connect_info::<SocketAddr>();
    axum::serve(listener, app).with_graceful_shutdown(stop.cancelled_owned()).await?;
    Ok(())
}
