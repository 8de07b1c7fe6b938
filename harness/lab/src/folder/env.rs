//! `env.sh`: what a shell needs to work with the lab.

use std::{fmt::Write, path::Path};

/// What `env.sh` sets.
#[derive(Clone, Debug, Default)]
pub(crate) struct Environment<'a> {
    /// The URL of the ECR-like registry's API, if there is one.
    pub(crate) ecr: Option<&'a str>,
    /// The region of that registry.
    pub(crate) region: Option<&'a str>,
    /// The page.
    pub(crate) web: Option<&'a str>,
    /// The folder of the `pulldrill` binary.
    pub(crate) program_folder: Option<&'a Path>,
}

/// Where the page's listener has the EC2 API as well.
const EC2: &str = "/aws/ec2";

/// The key with which the AWS APIs of a lab are called: its id and its secret, which protects nothing.
pub(crate) const ACCESS_KEY: (&str, &str) = ("AKIAPULLDRILLEXAMPLE", "not-a-secret");

impl Environment<'_> {
    /// The variables, for a lab in `folder`.
    pub(crate) fn variables(&self, folder: &Path) -> Vec<(&'static str, String)> {
        let file = |name: &str| folder.join(name).display().to_string();
        let mut variables = vec![
            ("PULLDRILL_DIR", folder.display().to_string()),
            ("KUBECONFIG", file("kubeconfig")),
            ("KUBECACHEDIR", file("cache")),
            ("PULLDRILL_CA", file("ca.pem")),
        ];
        if let Some(web) = self.web {
            variables.push(("PULLDRILL_WEB", web.to_owned()));
        }
        if let Some(ecr) = self.ecr {
            variables
                .extend([("AWS_ENDPOINT_URL_ECR", ecr.to_owned()), ("AWS_ENDPOINT_URL_STS", ecr.to_owned())]);
        }
        if let Some(web) = self.web {
            variables.push(("AWS_ENDPOINT_URL_EC2", format!("{web}{EC2}")));
        }
        if self.ecr.is_some() || self.web.is_some() {
            variables.extend([
                ("AWS_CA_BUNDLE", file("ca.pem")),
                ("AWS_ACCESS_KEY_ID", ACCESS_KEY.0.to_owned()),
                ("AWS_SECRET_ACCESS_KEY", ACCESS_KEY.1.to_owned()),
                ("AWS_DEFAULT_REGION", self.region.unwrap_or("ap-south-1").to_owned()),
                ("AWS_EC2_METADATA_DISABLED", "true".to_owned()),
            ]);
        }
        variables
    }

    /// The text of `env.sh`.
    pub(crate) fn script(&self, folder: &Path) -> String {
        let mut script =
            String::from("# Source this in the shell in which you work on the drills:  . env.sh\n");
        for (name, value) in self.variables(folder) {
            writeln!(script, "export {name}={}", quoted(&value)).unwrap_or_default();
        }
        if let Some(program) = self.program_folder {
            let program = quoted(&program.display().to_string());
            writeln!(
                script,
                "case \":$PATH:\" in *:{program}:*) ;; *) export PATH={program}:\"$PATH\" ;; esac"
            )
            .unwrap_or_default();
        }
        // Older versions of kubectl know the folder of their cache only as an option.
        script.push_str("kubectl() { command kubectl --cache-dir=\"$KUBECACHEDIR\" \"$@\"; }\n");
        script.push_str("unset HTTP_PROXY HTTPS_PROXY ALL_PROXY http_proxy https_proxy all_proxy\n");
        script
    }
}

/// A word for sh.
fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_with_spaces_and_quotes_survives() {
        let script = Environment::default().script(Path::new("/tmp/it's here"));
        assert!(script.contains(r"export KUBECONFIG='/tmp/it'\''s here/kubeconfig'"), "{script}");
        assert!(!script.contains("AWS_"));
        let environment = Environment { web: Some("http://127.0.0.1:1"), ..Environment::default() };
        let script = environment.script(Path::new("/tmp"));
        assert!(script.contains("AWS_ENDPOINT_URL_EC2='http://127.0.0.1:1/aws/ec2'"), "{script}");
        assert!(script.contains("AWS_SECRET_ACCESS_KEY=") && !script.contains("URL_ECR"), "{script}");
    }
}
