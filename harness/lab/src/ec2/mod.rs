//! The nodes' egress rules as security groups: the part of Amazon's EC2 Query API that people use to look at them and to
//! change them. A form comes, XML goes; every call is signed, as those of the ECR API are.
//!
//! Each node is in a security group of its own. There is one set of rules, the node's: what is revoked here is blocked
//! there, and what `pulldrill node egress` changes is seen here. Rules of a node forbid as well, those of a group only
//! allow, so a group shows what its node may reach: see [`group`].
//!
//! - [`form`]: what is asked. [`permission`]: a rule as EC2 writes it. [`region`]: sets of addresses and ports.
//! - [`change`]: authorise and revoke. [`filter`]: which groups are wanted. [`xml`], [`refusal`]: answers.

mod change;
mod filter;
mod form;
mod group;
mod permission;
mod refusal;
mod region;
#[cfg(test)]
mod tests;
mod xml;

use pulldrill_cluster::network::EgressRule;
use pulldrill_registry::signature::{Authorization, Request};

use self::{form::Form, group::Group, refusal::Refusal, xml::Xml};
use crate::{backend::NodeNetwork, folder::ACCESS_KEY, stage::Firewall};

/// The service that a signature has to be for.
const SERVICE: &str = "ec2";
/// Where the elements of its answers are defined.
const NAMESPACE: &str = "http://ec2.amazonaws.com/doc/2016-11-15/";

/// An answer of the API.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ec2Answer {
    /// Its HTTP status.
    pub status: u16,
    /// XML.
    pub body: String,
}

/// Whose groups these are.
pub(crate) struct Account {
    /// The account number.
    pub(crate) owner: String,
    /// What the ids of groups come from.
    pub(crate) seed: u64,
}

/// What is done with a call that has been read.
enum Call {
    Groups,
    Rules,
    Authorize,
    Revoke,
}

/// Calls that there are.
const CALLS: [(&str, Call); 4] = [
    ("DescribeSecurityGroups", Call::Groups),
    ("DescribeSecurityGroupRules", Call::Rules),
    ("AuthorizeSecurityGroupEgress", Call::Authorize),
    ("RevokeSecurityGroupEgress", Call::Revoke),
];

/// Calls that EC2 has as well and that nobody may make here.
const FORBIDDEN: [&str; 9] = [
    "AuthorizeSecurityGroupIngress",
    "RevokeSecurityGroupIngress",
    "CreateSecurityGroup",
    "DeleteSecurityGroup",
    "ModifySecurityGroupRules",
    "UpdateSecurityGroupRuleDescriptionsEgress",
    "DescribeInstances",
    "CreateTags",
    "DeleteTags",
];

/// Answers a call.
pub(crate) async fn answer(account: &Account, firewall: &Firewall<'_>, request: &Request<'_>) -> Ec2Answer {
    let id = pulldrill_clock::secret::uid();
    match call(account, firewall, request).await {
        Ok((action, content)) => {
            let mut xml = Xml::default();
            let name = format!("{action}Response");
            xml.within_namespace(&name, NAMESPACE, |xml| {
                xml.text("requestId", &id);
                xml.append(&content);
            });
            Ec2Answer { status: 200, body: xml.document() }
        }
        Err(refusal) => refusal.answer(&id),
    }
}

async fn call(
    account: &Account,
    firewall: &Firewall<'_>,
    request: &Request<'_>,
) -> Result<(&'static str, Xml), Refusal> {
    signed(request)?;
    let form = Form::read(request.body)?;
    let asked = form.get("Action").unwrap_or_default();
    let Some((action, call)) = CALLS.iter().find(|(name, _)| *name == asked) else {
        return Err(Refusal::no_action(asked, FORBIDDEN.contains(&asked), &account.owner));
    };
    let groups = groups(account, firewall.nodes()).await?;
    let dry = form.get("DryRun").is_some_and(|dry| dry.eq_ignore_ascii_case("true"));
    let mut xml = Xml::default();
    match call {
        Call::Groups => {
            let wanted = filter::groups(&groups, &form)?;
            refuse_if(dry)?;
            xml.within("securityGroupInfo", |xml| wanted.iter().for_each(|group| group.show(xml)));
        }
        Call::Rules => {
            let wanted = filter::rules(&groups, &form)?;
            refuse_if(dry)?;
            xml.within("securityGroupRuleSet", |xml| {
                wanted.iter().for_each(|(group, permission)| group.show_rule(permission, xml));
            });
        }
        Call::Authorize | Call::Revoke => {
            let group = filter::named(&groups, &form)?;
            let (rules, changed) = match call {
                Call::Authorize => change::authorize(group, &form)?,
                _ => change::revoke(group, &form)?,
            };
            refuse_if(dry)?;
            firewall.replace(&group.node, rules).await.map_err(|error| Refusal::broken(&error))?;
            xml.text("return", "true");
            if matches!(call, Call::Authorize) {
                xml.within("securityGroupRuleSet", |xml| {
                    changed.iter().for_each(|permission| group.show_rule(permission, xml));
                });
            }
        }
    }
    Ok((action, xml))
}

/// A call that is only tried ends where it would be carried out.
fn refuse_if(dry: bool) -> Result<(), Refusal> {
    if dry { Err(Refusal::dry_run()) } else { Ok(()) }
}

/// Every node's group.
async fn groups(account: &Account, nodes: &dyn NodeNetwork) -> Result<Vec<Group>, Refusal> {
    let all = nodes.egress().await.map_err(|error| Refusal::broken(&error))?;
    let group = |(node, rules): (String, Vec<EgressRule>)| Group::new(account, node, rules);
    Ok(all.into_iter().map(group).collect())
}

/// Whether the call is signed with the lab's key. In which region does not matter: there are the same groups in all.
fn signed(request: &Request<'_>) -> Result<(), Refusal> {
    let header = request.headers.get("authorization").ok_or_else(Refusal::unsigned)?;
    let read = header.to_str().ok().and_then(Authorization::read);
    let read = read.filter(|read| read.access_key == ACCESS_KEY.0 && read.service == SERVICE);
    match read {
        Some(read) if read.is_of(ACCESS_KEY.1, request) => Ok(()),
        _ => Err(Refusal::not_validated()),
    }
}
