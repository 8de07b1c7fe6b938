//! Why a call is refused, in the codes and words of EC2.

use super::{Ec2Answer, xml::Xml};
use crate::LabError;

/// A refusal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Refusal {
    pub(super) status: u16,
    pub(super) code: &'static str,
    pub(super) message: String,
}

impl Refusal {
    pub(super) fn new(code: &'static str, message: impl Into<String>) -> Self {
        Self { status: 400, code, message: message.into() }
    }

    pub(super) fn no_group(id: &str) -> Self {
        Self::new("InvalidGroup.NotFound", format!("The security group '{id}' does not exist"))
    }

    pub(super) fn no_rule(id: &str) -> Self {
        let message = format!("The security group rule ID '{id}' does not exist");
        Self::new("InvalidSecurityGroupRuleId.NotFound", message)
    }

    pub(super) fn no_permission() -> Self {
        let message = "The specified rule does not exist in this security group.";
        Self::new("InvalidPermission.NotFound", message)
    }

    pub(super) fn wrong_value(message: impl Into<String>) -> Self {
        Self::new("InvalidParameterValue", message)
    }

    pub(super) fn missing(parameter: &str) -> Self {
        Self::new("MissingParameter", format!("The request must contain the parameter {parameter}"))
    }

    /// What EC2 can do and nodes of a lab can't.
    pub(super) fn unsupported(what: &str) -> Self {
        Self::new(
            "UnsupportedOperation",
            format!(
                "{what}; rules of this lab's nodes are for one TCP port, or for everything (protocol -1)"
            ),
        )
    }

    pub(super) fn unsigned() -> Self {
        let message = "Request is missing Authentication Token";
        Self { status: 403, ..Self::new("MissingAuthenticationToken", message) }
    }

    pub(super) fn not_validated() -> Self {
        let message = "AWS was not able to validate the provided access credentials";
        Self { status: 401, ..Self::new("AuthFailure", message) }
    }

    pub(super) fn dry_run() -> Self {
        let message = "Request would have succeeded, but DryRun flag is set.";
        Self { status: 412, ..Self::new("DryRunOperation", message) }
    }

    /// An action that is not one, or that is known and nobody's here.
    pub(super) fn no_action(action: &str, known: bool, account: &str) -> Self {
        if !known {
            let message = format!("The action {action} is not valid for this web service.");
            return Self::new("InvalidAction", message);
        }
        let message = format!(
            "You are not authorized to perform this operation. User: arn:aws:sts::{account}:assumed-role/node/lab \
             is not authorized to perform: ec2:{action} because no identity-based policy allows the ec2:{action} action"
        );
        Self { status: 403, ..Self::new("UnauthorizedOperation", message) }
    }

    /// The nodes can't be reached.
    pub(super) fn broken(error: &LabError) -> Self {
        tracing::warn!(%error, "a call of the EC2 API cannot be carried out");
        Self { status: 500, ..Self::new("InternalError", error.to_string()) }
    }

    /// As it is sent.
    pub(super) fn answer(&self, id: &str) -> Ec2Answer {
        let mut xml = Xml::default();
        xml.within("Response", |xml| {
            xml.within("Errors", |xml| {
                xml.within("Error", |xml| {
                    xml.text("Code", self.code);
                    xml.text("Message", &self.message);
                });
            });
            xml.text("RequestID", id);
        });
        Ec2Answer { status: self.status, body: xml.document() }
    }
}
