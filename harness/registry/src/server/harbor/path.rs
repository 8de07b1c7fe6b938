//! The paths of the API, and which function answers each.

use super::{
    artifacts, audit,
    call::{Answered, Call},
    immutable, projects,
    refusal::Refusal,
    repositories, retentions, robots, system, tags,
};

/// What answers.
type Function = fn(&Call, &Parts) -> Answered;

/// A path: fixed words, and names for what stands in their place.
struct Place {
    path: &'static str,
    methods: &'static [(&'static str, Function)],
}

const fn at(path: &'static str, methods: &'static [(&'static str, Function)]) -> Place {
    Place { path, methods }
}

/// Below `/api/v2.0`.
const PLACES: &[Place] = &[
    at("ping", &[("GET", system::ping)]),
    at("health", &[("GET", system::health)]),
    at("systeminfo", &[("GET", system::information)]),
    at("users/current", &[("GET", system::current_user)]),
    at("statistics", &[("GET", system::statistics)]),
    at("audit-logs", &[("GET", audit::list)]),
    at("projects", &[("GET", projects::list), ("HEAD", projects::head), ("POST", projects::create)]),
    at(
        "projects/{project}",
        &[("DELETE", projects::delete), ("GET", projects::get), ("PUT", projects::update)],
    ),
    at("projects/{project}/_deletable", &[("GET", projects::deletable)]),
    at("projects/{project}/summary", &[("GET", projects::summary)]),
    at("projects/{project}/logs", &[("GET", audit::of_project)]),
    at("repositories", &[("GET", repositories::all)]),
    at("projects/{project}/repositories", &[("GET", repositories::list)]),
    at(
        "projects/{project}/repositories/{repository}",
        &[("DELETE", repositories::delete), ("GET", repositories::get)],
    ),
    at("projects/{project}/repositories/{repository}/artifacts", &[("GET", artifacts::list)]),
    at(
        "projects/{project}/repositories/{repository}/artifacts/{reference}",
        &[("DELETE", artifacts::delete), ("GET", artifacts::get)],
    ),
    at(
        "projects/{project}/repositories/{repository}/artifacts/{reference}/tags",
        &[("GET", tags::list), ("POST", tags::create)],
    ),
    at(
        "projects/{project}/repositories/{repository}/artifacts/{reference}/tags/{tag}",
        &[("DELETE", tags::delete)],
    ),
    at("robots", &[("GET", robots::list), ("POST", robots::create)]),
    at(
        "robots/{robot}",
        &[
            ("DELETE", robots::delete),
            ("GET", robots::get),
            ("PATCH", robots::refresh_secret),
            ("PUT", robots::update),
        ],
    ),
    at("projects/{project}/immutabletagrules", &[("GET", immutable::list), ("POST", immutable::create)]),
    at(
        "projects/{project}/immutabletagrules/{rule}",
        &[("DELETE", immutable::delete), ("PUT", immutable::update)],
    ),
    at("retentions/metadatas", &[("GET", retentions::metadata)]),
    at("retentions", &[("POST", retentions::create)]),
    at(
        "retentions/{policy}",
        &[("DELETE", retentions::delete), ("GET", retentions::get), ("PUT", retentions::update)],
    ),
    at("retentions/{policy}/executions", &[("GET", retentions::executions), ("POST", retentions::run)]),
    at("retentions/{policy}/executions/{execution}", &[("PATCH", retentions::operate)]),
    at("retentions/{policy}/executions/{execution}/tasks", &[("GET", retentions::tasks)]),
    at("retentions/{policy}/executions/{execution}/tasks/{task}", &[("GET", retentions::task_log)]),
];

/// What stands in the place of a path's names.
#[derive(Debug, Default)]
pub(super) struct Parts(Vec<(&'static str, String)>);

impl Parts {
    pub(super) fn get(&self, name: &str) -> &str {
        self.0.iter().find(|(of, _)| *of == name).map_or("", |(_, value)| value)
    }

    /// One that is a number.
    pub(super) fn number(&self, name: &str) -> Result<i64, Refusal> {
        let text = self.get(name);
        let wrong = || format!("{name}_id in path must be of type int64: {text:?}");
        text.parse().map_err(|_| Refusal::unprocessable(wrong()))
    }

    /// The whole name of the repository: that has been encoded once more, so that its slashes are no part of the path.
    pub(super) fn repository(&self, project: &str) -> String {
        format!("{project}/{}", decoded(self.get("repository")))
    }
}

/// Answers a call.
pub(super) fn answer(call: &Call) -> Answered {
    let whole = decoded(&call.path);
    if whole == "/api/version" {
        return system::version(call, &Parts::default());
    }
    let missing = || Refusal::not_found(format!("path {whole} was not found"));
    let below = whole.strip_prefix("/api/v2.0/").ok_or_else(missing)?;
    let segments: Vec<&str> = below.trim_end_matches('/').split('/').collect();
    let found = PLACES.iter().find_map(|place| parts(place.path, &segments).map(|parts| (place, parts)));
    let (place, parts) = found.ok_or_else(missing)?;
    let of_method = place.methods.iter().find(|(method, _)| *method == call.method.as_str());
    let Some((_, function)) = of_method else {
        let allowed: Vec<&str> = place.methods.iter().map(|(method, _)| *method).collect();
        return Err(Refusal::method(call.method.as_str(), &allowed));
    };
    function(call, &parts)
}

/// What stands for the names of a path; nothing when it is another one.
fn parts(path: &'static str, segments: &[&str]) -> Option<Parts> {
    let words: Vec<&'static str> = path.split('/').collect();
    if words.len() != segments.len() {
        return None;
    }
    let mut parts = Vec::new();
    for (word, segment) in words.into_iter().zip(segments) {
        match word.strip_prefix('{').and_then(|word| word.strip_suffix('}')) {
            Some(_) if segment.is_empty() => return None,
            Some(name) => parts.push((name, (*segment).to_owned())),
            None if word != *segment => return None,
            None => {}
        }
    }
    Some(Parts(parts))
}

/// Text without percent signs where they stand for something; what makes no sense stays as it is.
pub(super) fn decoded(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        let two = after.get(..2).filter(|_| *first == b'%');
        let two = two.and_then(|two| std::str::from_utf8(two).ok());
        let byte = two.filter(|two| !two.starts_with('+')).and_then(|two| u8::from_str_radix(two, 16).ok());
        bytes.push(byte.unwrap_or(*first));
        rest = if byte.is_some() { &after[2..] } else { after };
    }
    String::from_utf8(bytes).unwrap_or_else(|_| text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slashes_of_names_are_encoded_twice() {
        let once = decoded("projects/team/repositories/a%252Fb/artifacts/sha256%3A00");
        let segments: Vec<&str> = once.split('/').collect();
        let found = parts("projects/{project}/repositories/{repository}/artifacts/{reference}", &segments);
        let found = found.unwrap();
        assert_eq!((found.repository("team").as_str(), found.get("reference")), ("team/a/b", "sha256:00"));
        let too_little = decoded("projects/team/repositories/a%2Fb");
        assert!(parts("projects/{project}/repositories/{repository}", &[&too_little]).is_none());
        for odd in ["%", "%2", "%zz", "%+1", "a%"] {
            assert_eq!(decoded(odd), odd);
        }
        assert_eq!(decoded("%ff"), "%ff");
    }

    #[test]
    fn every_path_is_there_once_and_fixed_words_come_first() {
        for (at, place) in PLACES.iter().enumerate() {
            let segments: Vec<&str> = place.path.split('/').collect();
            let first = PLACES.iter().position(|other| parts(other.path, &segments).is_some());
            assert_eq!(first, Some(at), "{}", place.path);
        }
    }
}
