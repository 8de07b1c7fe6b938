//! Registries that a person runs by themselves: which ones, who may log in, and the files that lead clients there.
//!
//! With a data folder the authority and the password are kept in it beside the content, so that a client which knew
//! them before a restart knows them after it.

use std::{collections::BTreeMap, fmt::Write, fs, io, net::SocketAddr, path::Path, sync::Arc};

use pulldrill_clock::secret;
use pulldrill_lab::{Folder, write_private};
use pulldrill_registry::{Account, HostSpec, Registry, RegistryError, UpstreamSpec};
use pulldrill_tls::Authority;
use serde::Serialize;
use serde_json::json;

use super::Ground;
use crate::{args::RegistryServe, exit::Failure, parse};

/// Where the password is that somebody has chosen.
const PASSWORD: &str = "PULLDRILL_REGISTRY_PASSWORD";
/// The personality that has an API beside it.
const ECR: &str = "ecr";
/// The files of the data folder that are no content.
const AUTHORITY: &str = "authority.pem";
const KEPT_PASSWORD: &str = "password";

/// The registries to be, and the folder that leads there.
pub(super) struct Alone {
    folder: Folder,
    specs: Vec<HostSpec>,
    all_at: Option<SocketAddr>,
    account: Account,
    pub(super) authority: Arc<Authority>,
}

/// `lab.json` of registries alone.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Served {
    registries: BTreeMap<String, String>,
    /// The separate hosts that issue tokens.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    token_hosts: BTreeMap<String, String>,
    /// Where all of them are, by their names.
    #[serde(skip_serializing_if = "Option::is_none")]
    all_at: Option<SocketAddr>,
    admin: String,
    username: String,
}

impl Served {
    pub(super) fn lines(&self, folder: &Path) -> String {
        let mut text = String::new();
        for (name, url) in &self.registries {
            writeln!(text, "registry: {name} at {url}").unwrap_or_default();
        }
        if let Some(address) = self.all_at {
            writeln!(text, "all of them, by their names, at {address}").unwrap_or_default();
        }
        let (admin, user, folder) = (&self.admin, &self.username, folder.display());
        writeln!(text, "admin API at {admin}, its token in {folder}/instructor-token").unwrap_or_default();
        writeln!(
            text,
            "log in as {user}, with the password in {folder}/auth.json; for a shell: . {folder}/env.sh"
        )
        .unwrap_or_default();
        text
    }
}

impl Alone {
    /// Takes the folder, and finds or makes the secrets. Nothing is served yet.
    pub(super) fn prepare(ground: &Ground<'_>, args: &RegistryServe) -> Result<Self, Failure> {
        let specs = specs(args)?;
        let folder = Folder::take(&ground.common.dir)?;
        let data = args.data.as_deref();
        let new = || Authority::new("pulldrill registry").map(|authority| authority.to_pem());
        let pem = match kept(data, AUTHORITY)? {
            Some(pem) => pem,
            None => keep(data, AUTHORITY, new().map_err(RegistryError::from)?)?,
        };
        let authority = Authority::from_pem("pulldrill registry", &pem).map_err(RegistryError::from)?;
        let password =
            match (std::env::var(PASSWORD).ok().filter(|p| !p.is_empty()), kept(data, KEPT_PASSWORD)?) {
                (Some(chosen), _) => chosen,
                (None, Some(kept)) => kept,
                (None, None) => keep(data, KEPT_PASSWORD, secret::token())?,
            };
        let account = Account { username: args.username.clone(), password };
        Ok(Self { folder, specs, all_at: args.all_at, account, authority: Arc::new(authority) })
    }

    /// Serves them and writes what leads there, `lab.json` last.
    pub(super) async fn open(
        &self,
        registry: &Registry,
        admin: SocketAddr,
        token: &str,
    ) -> Result<Served, Failure> {
        let (mut registries, mut token_hosts) = (BTreeMap::new(), BTreeMap::new());
        let mut aws = None;
        for spec in &self.specs {
            let accounts = vec![self.account.clone()];
            let administrators = vec![self.account.username.clone()];
            let info = registry.add_host(HostSpec { accounts, administrators, ..spec.clone() }).await?;
            if let Some((name, address)) = info.token_host {
                let url = format!("https://{address}");
                if spec.personality == ECR {
                    let region = name.split('.').nth(2).unwrap_or("us-east-1").to_owned();
                    aws = aws.or(Some((url, region)));
                } else {
                    token_hosts.insert(name, url);
                }
            }
            registries.insert(info.name, info.url);
        }
        let all_at = match self.all_at {
            Some(address) => Some(registry.serve_all_at(address).await?),
            None => None,
        };
        let login = self.account.basic();
        let places = registries.iter().flat_map(|(name, url)| [name, url.trim_start_matches("https://")]);
        let logins: BTreeMap<&str, _> = places.map(|place| (place, json!({ "auth": login }))).collect();
        let folder = &self.folder;
        folder.write_private("auth.json", &json!({ "auths": logins }).to_string())?;
        folder.write_private("instructor-token", &format!("{token}\n"))?;
        // The one for programs that take a file, the other for those that take a folder.
        folder.write_public("ca.pem", registry.authority_pem())?;
        folder.write_public("certs/ca.crt", registry.authority_pem())?;
        folder.write_public("env.sh", &script(folder.path(), aws.as_ref()))?;
        let served = Served {
            registries,
            token_hosts,
            all_at,
            admin: format!("http://{admin}"),
            username: self.account.username.clone(),
        };
        folder.write_info(&served)?;
        Ok(served)
    }

    /// Where the files are.
    pub(super) fn path(&self) -> &Path {
        self.folder.path()
    }

    /// Gives the folder up, and clears it.
    pub(super) fn close(&self, ground: &Ground<'_>) -> Result<(), Failure> {
        self.folder.release()?;
        ground.folder.clear().map(drop)
    }
}

/// What is asked for, each at its place.
fn specs(args: &RegistryServe) -> Result<Vec<HostSpec>, Failure> {
    let mut specs: Vec<HostSpec> = Vec::new();
    let mut next = args.listen;
    let upstream = upstream(args)?;
    if args.limits.is_some() && !args.personality.iter().any(|(name, _)| name == parse::DOCKER_HUB) {
        let help = format!("add --personality {}", parse::DOCKER_HUB);
        return Err(Failure::usage("--limits is about a Docker Hub, and there is none").help(help));
    }
    for (personality, host) in &args.personality {
        let mut spec = HostSpec::usual(personality).map_err(|error| Failure::usage(error.to_string()))?;
        spec.name = host.clone().unwrap_or(spec.name);
        if specs.iter().any(|other| other.name == spec.name) {
            let help = format!("give one of them another name: --personality {personality}=HOST");
            return Err(Failure::usage(format!("two registries would be {}", spec.name)).help(help));
        }
        if *personality == parse::DOCKER_HUB {
            spec.limits.clone_from(&args.limits);
        }
        spec.upstream.clone_from(&upstream);
        spec.listen = take(&mut next)?;
        if spec.has_token_host()? {
            spec.auth_listen = take(&mut next)?;
        }
        specs.push(spec);
    }
    Ok(specs)
}

/// The registry that they are to stand in front of.
fn upstream(args: &RegistryServe) -> Result<Option<UpstreamSpec>, Failure> {
    let Some(url) = args.upstream.clone() else { return Ok(None) };
    let read = |path: &Path| {
        let fail = |error| Failure::usage(format!("cannot read {}: {error}", path.display()));
        fs::read_to_string(path).map_err(fail)
    };
    let login = args.upstream_login.as_deref().map(|path| login(path, &read(path)?)).transpose()?;
    let authority = args.upstream_ca.as_deref().map(read).transpose()?;
    let upstream = UpstreamSpec { url, login, authority };
    upstream.check().map_err(|why| Failure::usage(format!("--upstream: {why}")))?;
    Ok(Some(upstream))
}

/// The log-in in a file: on its first line, up to the first colon the user.
fn login(path: &Path, text: &str) -> Result<Account, Failure> {
    let first = text.lines().next().unwrap_or_default().trim();
    let (username, password) = first
        .split_once(':')
        .filter(|(username, password)| !username.is_empty() && !password.is_empty())
        .ok_or_else(|| {
            Failure::usage(format!("the first line of {} is not USER:PASSWORD", path.display()))
        })?;
    Ok(Account { username: username.to_owned(), password: password.to_owned() })
}

/// The next place to listen at: a free port stays one, others are counted up.
fn take(next: &mut Option<SocketAddr>) -> Result<Option<SocketAddr>, Failure> {
    let Some(address) = *next else { return Ok(None) };
    if address.port() != 0 {
        let port = address.port().checked_add(1);
        let port =
            port.ok_or_else(|| Failure::usage("there are not enough ports after the one of --listen"))?;
        *next = Some(SocketAddr::new(address.ip(), port));
    }
    Ok(Some(address))
}

/// What has been kept under that name.
fn kept(data: Option<&Path>, name: &str) -> Result<Option<String>, Failure> {
    let Some(path) = data.map(|data| data.join(name)) else { return Ok(None) };
    match fs::read_to_string(&path) {
        Ok(text) => Ok(Some(text)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(Failure::infrastructure(format!("cannot read {}: {error}", path.display()))),
    }
}

/// Keeps it, where something is kept.
fn keep(data: Option<&Path>, name: &str, text: String) -> Result<String, Failure> {
    if let Some(data) = data {
        write_private(&data.join(name), &text)?;
    }
    Ok(text)
}

/// `env.sh`: podman, buildah and skopeo take the logins from there, and what is written in Go the authority. Where there is
/// an ECR, the first one's API is where the `aws` command goes, with keys that protect nothing.
fn script(folder: &Path, aws: Option<&(String, String)>) -> String {
    let mut script = String::from("# Source this in the shell in which you use the registries:  . env.sh\n");
    let file = |name: &str| folder.join(name).display().to_string().replace('\'', r"'\''");
    for (variable, name) in
        [("PULLDRILL_CA", "ca.pem"), ("REGISTRY_AUTH_FILE", "auth.json"), ("SSL_CERT_FILE", "ca.pem")]
    {
        writeln!(script, "export {variable}='{}'", file(name)).unwrap_or_default();
    }
    if let Some((api, region)) = aws {
        for (variable, value) in [
            ("AWS_ENDPOINT_URL_ECR", api.as_str()),
            ("AWS_ENDPOINT_URL_STS", api),
            ("AWS_CA_BUNDLE", &file("ca.pem")),
            ("AWS_ACCESS_KEY_ID", "AKIAPULLDRILLEXAMPLE"),
            ("AWS_SECRET_ACCESS_KEY", "not-a-secret"),
            ("AWS_DEFAULT_REGION", region),
            ("AWS_EC2_METADATA_DISABLED", "true"),
        ] {
            writeln!(script, "export {variable}='{value}'").unwrap_or_default();
        }
    }
    script
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_given_out_in_order() {
        let mut free = Some("127.0.0.1:0".parse().unwrap());
        assert_eq!(take(&mut free).unwrap(), take(&mut free).unwrap());
        let mut next = Some("127.0.0.1:65534".parse().unwrap());
        assert_eq!(take(&mut next).unwrap().unwrap().port(), 65534);
        assert!(take(&mut next).is_err(), "or the one after it would wrap around");
        assert_eq!(take(&mut None).unwrap(), None);
    }

    #[test]
    fn a_login_is_a_line_with_a_colon_and_what_is_none_is_not_shown() {
        let path = Path::new("login");
        let read = login(path, "me:a:b\nmore\n").unwrap();
        assert_eq!((read.username.as_str(), read.password.as_str()), ("me", "a:b"));
        for wrong in ["", "s3cret", ":s3cret", "me:", "\nme:s3cret"] {
            let failure = login(path, wrong).unwrap_err();
            assert!(!failure.message.contains("s3cret"), "{}", failure.message);
        }
    }

    #[test]
    fn secrets_are_found_again_where_they_are_kept() {
        let folder = tempfile::tempdir().unwrap();
        let data = Some(folder.path());
        assert_eq!(kept(data, "secret").unwrap(), None);
        keep(data, "secret", "x".into()).unwrap();
        assert_eq!(kept(data, "secret").unwrap().as_deref(), Some("x"));
        keep(None, "secret", "y".into()).unwrap();
        assert_eq!(kept(None, "secret").unwrap(), None);
    }
}
