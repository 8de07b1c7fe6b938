//! The client of a running lab's JSON API. It never goes through a proxy.

use std::time::Duration;

use reqwest::{Client as Http, Method, RequestBuilder};
use serde::{Deserialize, Serialize, de::DeserializeOwned};

use crate::{
    exit::{Exit, Failure},
    folder::{Folder, Owner},
};

/// How long a connection may take; the lab is on this machine.
const CONNECT: Duration = Duration::from_secs(5);

/// Talks to one lab.
#[derive(Debug)]
pub(crate) struct Client {
    http: Http,
    base: String,
    token: Option<String>,
    dir: String,
}

#[derive(Deserialize)]
struct Refused {
    error: RefusedError,
}

#[derive(Deserialize)]
struct RefusedError {
    message: String,
    #[serde(default)]
    help: Option<String>,
}

impl Client {
    /// The lab of a folder.
    pub(crate) fn of(folder: &Folder) -> Result<Self, Failure> {
        let dir = folder.path().display().to_string();
        let Some(info) = folder.info()? else {
            return Err(match folder.owner() {
                Owner::Process(_) => Failure::infrastructure(format!("the lab in {dir} is still starting"))
                    .help("`pulldrill wait --for symptom` waits until it is ready"),
                Owner::Nobody => Failure::usage(format!("no lab runs in {dir}"))
                    .help("`pulldrill up` starts one; --dir names another folder"),
            });
        };
        if folder.owner() == Owner::Nobody {
            return Err(Failure::infrastructure(format!("the lab in {dir} (process {}) is gone", info.pid))
                .help("`pulldrill up` takes the folder over, `pulldrill down` clears it"));
        }
        let base = info
            .web
            .ok_or_else(|| Failure::infrastructure(format!("the lab in {dir} serves no API")))?
            .trim_end_matches('/')
            .to_owned();
        Self::new(base, dir)
    }

    fn new(base: String, dir: String) -> Result<Self, Failure> {
        let http = Http::builder()
            .no_proxy()
            .connect_timeout(CONNECT)
            .user_agent(concat!("pulldrill/", env!("CARGO_PKG_VERSION")))
            .build()
            .map_err(|error| Failure::infrastructure(format!("cannot make an HTTP client: {error}")))?;
        Ok(Self { http, base, token: None, dir })
    }

    /// The same, with the instructor's token.
    pub(crate) fn with_token(mut self, token: String) -> Self {
        self.token = Some(token);
        self
    }

    pub(crate) async fn get<T: DeserializeOwned>(&self, path: &str) -> Result<T, Failure> {
        self.send(self.request(Method::GET, path)).await
    }

    pub(crate) async fn post<T: DeserializeOwned>(
        &self,
        path: &str,
        body: &(impl Serialize + Sync),
    ) -> Result<T, Failure> {
        self.send(self.request(Method::POST, path).json(body)).await
    }

    pub(crate) async fn delete<T: DeserializeOwned>(&self, path: &str) -> Result<T, Failure> {
        self.send(self.request(Method::DELETE, path)).await
    }

    fn request(&self, method: Method, path: &str) -> RequestBuilder {
        let request = self
            .http
            .request(method, format!("{}/api/v1/{path}", self.base))
            .header(pulldrill_web::CLIENT_HEADER, "pulldrill");
        match &self.token {
            Some(token) => request.bearer_auth(token),
            None => request,
        }
    }

    async fn send<T: DeserializeOwned>(&self, request: RequestBuilder) -> Result<T, Failure> {
        let lost = |error: reqwest::Error| {
            Failure::infrastructure(format!(
                "the lab in {} does not answer at {}: {}",
                self.dir,
                self.base,
                root(&error)
            ))
            .help("`pulldrill down` stops and clears it, `pulldrill up` starts a new one")
        };
        let answer = request.send().await.map_err(lost)?;
        let status = answer.status();
        let body = answer.bytes().await.map_err(lost)?;
        if status.is_success() {
            return serde_json::from_slice(&body).map_err(|error| {
                Failure::infrastructure(format!("the answer of {} makes no sense: {error}", self.base))
                    .help("is the lab of another version of pulldrill? restart it")
            });
        }
        let exit = if status.is_client_error() { Exit::Usage } else { Exit::Infrastructure };
        Err(match serde_json::from_slice::<Refused>(&body) {
            Ok(refused) => Failure { exit, message: refused.error.message, help: refused.error.help },
            Err(_) => Failure { exit, message: format!("{} answered {status}", self.base), help: None },
        })
    }
}

/// One segment of a path.
pub(crate) fn segment(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' => out.push(char::from(byte)),
            _ => out.push_str(&format!("%{byte:02X}")),
        }
    }
    out
}

/// What is at the bottom of an error: the part that says what happened.
fn root(error: &dyn std::error::Error) -> String {
    let mut error = error;
    while let Some(source) = error.source() {
        error = source;
    }
    error.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_cannot_leave_its_segment() {
        assert_eq!(segment("payments"), "payments");
        assert_eq!(segment("../x?y#z"), "..%2Fx%3Fy%23z");
    }

    #[test]
    fn a_folder_without_a_lab_is_wrong_use_and_a_dead_lab_is_not() {
        let temporary = tempfile::tempdir().unwrap();
        let folder = Folder::new(temporary.path());
        assert_eq!(Client::of(&folder).unwrap_err().exit, Exit::Usage);
        let info =
            r#"{"schemaVersion":1,"web":"http://127.0.0.1:1","registries":{},"pid":1,"drills":[],"seed":1}"#;
        std::fs::write(temporary.path().join("lab.json"), info).unwrap();
        assert_eq!(Client::of(&folder).unwrap_err().exit, Exit::Infrastructure);
    }
}
