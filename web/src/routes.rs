//! The table of routes: path, who may call it, who answers.
//!
//! This is the only place where a route gets its level; a path that is not here does not exist.

use axum::{
    Router,
    extract::DefaultBodyLimit,
    middleware,
    routing::{MethodRouter, delete, get, post},
};

use crate::{
    api, assets,
    gate::{Gate, Level, guard, seal},
    live, pages,
    site::Site,
};

/// No request of ours is longer.
const BODY_LIMIT: usize = 64 * 1024;

type Route = (Level, &'static str, MethodRouter<Site>);

fn table() -> Vec<Route> {
    use Level::{Instructor, Signed, Trainee};
    vec![
        // Pages
        (Trainee, "/", get(pages::handlers::overview)),
        (Trainee, "/drills/{id}", get(pages::handlers::drill)),
        (Trainee, "/drills/{id}/hint", post(pages::forms::hint)),
        (Trainee, "/drills/{id}/diagnose", post(pages::forms::diagnose)),
        (Trainee, "/drills/{id}/give-up", post(pages::forms::give_up)),
        (Trainee, "/fragments/drills", get(pages::handlers::overview_fragment)),
        (Trainee, "/fragments/drills/{id}", get(pages::handlers::drill_fragment)),
        (Trainee, "/events", get(live::events)),
        (Trainee, "/assets/{name}", get(assets::asset)),
        (Trainee, "/favicon.ico", get(assets::favicon)),
        // Drills
        (Trainee, "/api/v1/info", get(api::lab::info)),
        (Trainee, "/api/v1/status", get(api::lab::status)),
        (Trainee, "/api/v1/drills/{id}", get(api::drills::drill)),
        (Trainee, "/api/v1/drills/{id}/hint", post(api::drills::hint)),
        (Trainee, "/api/v1/drills/{id}/diagnose", post(api::drills::diagnose)),
        (Trainee, "/api/v1/drills/{id}/give-up", post(api::drills::give_up)),
        (Trainee, "/api/v1/drills/{id}/debrief", get(api::drills::debrief)),
        (Trainee, "/api/v1/drills/{id}/recording", get(api::drills::recording)),
        (Instructor, "/api/v1/drills/{id}/reset", post(api::drills::reset)),
        (Instructor, "/api/v1/drills", post(api::drills::start)),
        (Instructor, "/api/v1/scenarios", get(api::lab::scenarios)),
        (Instructor, "/api/v1/journal", get(api::lab::journal)),
        // Tools of the trainee
        (Trainee, "/api/v1/egress", get(api::tools::egress).post(api::tools::allow_egress)),
        (Trainee, "/api/v1/egress/{node}/{rule}", delete(api::tools::delete_egress)),
        (Trainee, "/api/v1/pull-log", get(api::tools::pull_log)),
        (Signed, "/aws/ec2", post(api::aws::ec2)),
        (Trainee, "/api/v1/image-copy", post(api::tools::copy_image)),
        (Trainee, "/api/v1/ecr/login-password", post(api::tools::ecr_login_password)),
        // Registries that misbehave: what is wrong with them may be the answer
        (
            Instructor,
            "/api/v1/faults",
            get(api::tools::faults).post(api::tools::add_fault).delete(api::tools::clear_faults),
        ),
        (Instructor, "/api/v1/faults/{id}", delete(api::tools::clear_fault)),
        // The lab itself
        (Trainee, "/api/v1/clock", get(api::lab::clock)),
        (Instructor, "/api/v1/clock/advance", post(api::lab::advance)),
        (Instructor, "/api/v1/shutdown", post(api::lab::shutdown)),
    ]
}

/// The whole site.
pub(crate) fn router(site: Site, gate: &Gate) -> Router {
    let behind = |level| middleware::from_fn_with_state((gate.clone(), level), guard);
    let mut router = Router::new();
    for (level, path, methods) in table() {
        router = router.route(path, methods.layer(behind(level)));
    }
    router
        .fallback(get(pages::handlers::nothing_here).layer(behind(Level::Trainee)))
        .layer(DefaultBodyLimit::max(BODY_LIMIT))
        .layer(middleware::from_fn(seal))
        .with_state(site)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_changes_the_lab_for_everybody_is_the_instructors() {
        let mut instructors: Vec<_> = table()
            .into_iter()
            .filter(|(level, ..)| *level == Level::Instructor)
            .map(|(_, path, _)| path)
            .collect();
        instructors.sort_unstable();
        assert_eq!(
            instructors,
            [
                "/api/v1/clock/advance",
                "/api/v1/drills",
                "/api/v1/drills/{id}/reset",
                "/api/v1/faults",
                "/api/v1/faults/{id}",
                "/api/v1/journal",
                "/api/v1/scenarios",
                "/api/v1/shutdown"
            ]
        );
    }
}
