//! How the end of a command is told: the `Status` object on the error stream.
//!
//! The forms are those of Kubernetes' remote command server (`cri-streaming/pkg/streaming/remotecommand`) and, for
//! the newest WebSocket protocol, of the API server that translates it and words the kubelet's error once more.

use serde_json::{Value, json};

use crate::{api::Status, streams::Ended};

/// The status of a session's end.
pub(super) fn status(ended: &Ended, translated: bool) -> Value {
    match ended {
        Ended::Exit(0) => json!({"metadata": {}, "status": "Success"}),
        Ended::Exit(code) => {
            let message = format!(
                "command terminated with non-zero exit code: {}",
                if translated {
                    format!("command terminated with exit code {code}")
                } else {
                    format!("error executing command, exit code {code}")
                }
            );
            json!({"metadata": {}, "status": "Failure", "message": message, "reason": "NonZeroExitCode",
                "details": {"causes": [{"reason": "ExitCode", "message": code.to_string()}]}})
        }
        Ended::Failed(why) => {
            let inner = internal(&format!("error executing command in container: {why}"));
            if translated { internal(inner["message"].as_str().unwrap_or_default()) } else { inner }
        }
    }
}

/// An internal error as the API machinery makes it.
pub(super) fn internal(why: &str) -> Value {
    let mut status = Status::internal(format!("Internal error occurred: {why}")).to_object();
    status["details"] = json!({"causes": [{"message": why}]});
    status
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ends_are_told_as_clients_expect_them() {
        let exit = status(&Ended::Exit(3), true);
        assert_eq!(exit["details"]["causes"][0], json!({"reason": "ExitCode", "message": "3"}));
        assert_eq!(exit["reason"], "NonZeroExitCode");
        let failed = Ended::Failed("no".to_owned());
        let once = "Internal error occurred: error executing command in container: no";
        assert_eq!(status(&failed, false)["message"], once);
        assert_eq!(status(&failed, true)["message"], format!("Internal error occurred: {once}"));
        assert_eq!(status(&Ended::Exit(0), false)["status"], "Success");
    }
}
