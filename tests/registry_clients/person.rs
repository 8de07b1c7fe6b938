//! Somebody who uses one client, with a home of their own, and does what the matrix says.

use std::{
    io::Write,
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
};

use anyhow::{Context, Result, ensure};
use tempfile::TempDir;

use crate::{
    command::clean,
    matrix::{Client, Personality, TLS},
    programs::on_path,
    world::{INSECURE, OPEN, PLAIN, UNKNOWN, World, authority},
};

/// One person.
pub(crate) struct Person {
    pub(crate) client: Client,
    home: TempDir,
    program: PathBuf,
}

impl Person {
    pub(crate) fn new(world: &World, client: &Client, program: &Path) -> Result<Self> {
        let home = TempDir::new()?;
        let at = |name: &str| home.path().join(name);
        std::fs::write(authority(home.path()), world.authority.pem())?;
        std::fs::create_dir_all(at(".config/containers"))?;
        let policy = r#"{"default": [{"type": "insecureAcceptAnything"}]}"#;
        std::fs::write(at(".config/containers/policy.json"), policy)?;
        let [data, run] = ["storage", "run"].map(|name| at(name).display().to_string());
        let storage = format!("[storage]\ndriver = \"vfs\"\ngraphroot = {data:?}\nrunroot = {run:?}\n");
        std::fs::write(at("storage.conf"), storage)?;
        Ok(Self { client: client.clone(), home, program: program.to_owned() })
    }

    pub(crate) fn folder(&self) -> &Path {
        self.home.path()
    }

    /// A program with nothing of the user's own around it.
    pub(crate) fn command(&self, program: &Path) -> Command {
        let mut command = clean(Command::new(program));
        let at = |name: &str| self.home.path().join(name);
        command
            .current_dir(self.home.path())
            .env("HOME", self.home.path())
            .env("SSL_CERT_FILE", authority(self.home.path()))
            .env("SSL_CERT_DIR", at("nothing"))
            .env("REQUESTS_CA_BUNDLE", authority(self.home.path()))
            .env("XDG_RUNTIME_DIR", self.home.path())
            .env("REGISTRY_AUTH_FILE", at("auth.json"))
            .env("CONTAINERS_STORAGE_CONF", at("storage.conf"))
            .env("CONTAINERD_ADDRESS", at("socket"))
            .env("DOCKER_CONFIG", at("docker"))
            .env("DOCKER_HOST", format!("unix://{}", at("docker.sock").display()))
            .env("AWS_CA_BUNDLE", authority(self.home.path()))
            .env("AWS_ACCESS_KEY_ID", "AKIAEXAMPLE")
            .env("AWS_SECRET_ACCESS_KEY", "secret")
            .env("AWS_EC2_METADATA_DISABLED", "true");
        command
    }

    /// Everything that a cell of the matrix says.
    pub(crate) fn use_registry(&self, world: &World, personality: &Personality) -> Result<()> {
        let issued = self.issued(personality)?;
        let password = world.password(personality, issued);
        let name = &self.client.name;
        let say = |line: &str, password: &str| {
            let image = personality.image.replace("{client}", name);
            line.replace("{host}", &personality.host)
                .replace("{image}", &image)
                .replace("{served}", &format!("{}/{}", personality.served(), personality.repository(name)))
                .replace("{user}", &personality.user)
                .replace("{password}", password)
        };
        let run = |line: &str, password: &str| self.run(&say(line, password), password);
        if let Some(login) = &self.client.login {
            let refused = run(login, "wrong")?;
            ensure!(!refused.status.success(), "a wrong password was good enough: {}", text(&refused));
            succeeded(login, &run(login, &password)?)?;
        }
        let before = world.seen();
        for line in &self.client.push {
            succeeded(line, &run(line, &password)?)?;
        }
        let digest = world.pushed(before, personality, name)?;
        if self.client.login.is_none() {
            let refused = run(&self.client.pull[0], "wrong")?;
            ensure!(!refused.status.success(), "a wrong password was good enough: {}", text(&refused));
        }
        let before = world.seen();
        for line in &self.client.pull {
            succeeded(line, &run(line, &password)?)?;
        }
        world.pulled(before, personality, name, &digest)
    }

    /// What comes of certificates.
    pub(crate) fn meet_certificates(&self) -> Result<()> {
        for (key, _, words) in TLS {
            let lines = self.client.tls.get(key).with_context(|| format!("nothing is said of {key}"))?;
            for line in lines {
                let output = self.run(line, "")?;
                match self.client.refusal(key, words) {
                    None => succeeded(line, &output)?,
                    Some(words) => ensure!(
                        !output.status.success() && text(&output).contains(words),
                        "{line}: not {words}, but {}",
                        text(&output)
                    ),
                }
            }
        }
        Ok(())
    }

    /// The password that an ECR has issued to this person, who makes their repository there first.
    fn issued(&self, personality: &Personality) -> Result<Option<String>> {
        if personality.name != "ecr" {
            return Ok(None);
        }
        let aws = on_path("aws").context("no aws on PATH")?;
        let region = personality.host.split('.').nth(3).context("a region")?;
        let ask = |arguments: &[&str]| -> Result<String> {
            let mut command = self.command(&aws);
            let output = command.args(["ecr", "--region", region]).args(arguments).output()?;
            succeeded(&format!("aws ecr {arguments:?}"), &output)?;
            Ok(String::from_utf8(output.stdout)?.trim().to_owned())
        };
        let repository = personality.repository(&self.client.name);
        ask(&["create-repository", "--repository-name", &repository])?;
        ask(&["get-login-password"]).map(Some)
    }

    /// Runs a line of the matrix; the password is there to be read.
    fn run(&self, line: &str, password: &str) -> Result<Output> {
        let folder = self.home.path().display().to_string();
        let filled = [
            ("{open}", OPEN),
            ("{unknown}", UNKNOWN),
            ("{insecure}", INSECURE),
            ("{plain}", PLAIN),
            ("{folder}", &folder),
        ];
        let line = filled.iter().fold(line.to_owned(), |line, (name, is)| line.replace(name, is));
        let scripts = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/registry_clients");
        let script = self.client.script.as_ref().map(|script| scripts.join(script));
        let mut child = self
            .command(&self.program)
            .args(script)
            .args(line.split_whitespace().skip(1))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()?;
        let mut input = child.stdin.take().context("a pipe")?;
        let _who_reads_none_has_ended = input.write_all(password.as_bytes());
        drop(input);
        Ok(child.wait_with_output()?)
    }
}

fn text(output: &Output) -> String {
    [&output.stdout, &output.stderr].map(|bytes| String::from_utf8_lossy(bytes)).concat()
}

fn succeeded(what: &str, output: &Output) -> Result<()> {
    ensure!(output.status.success(), "{what}: {}", text(output));
    Ok(())
}
