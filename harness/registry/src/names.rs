//! Names and what they resolve to: the hosts that have addresses of their own, and what the owner adds.

use std::{collections::BTreeMap, net::Ipv4Addr, sync::Arc};

use parking_lot::RwLock;

use crate::RegistryError;

/// The longest name that can be asked for.
const LONGEST: usize = 253;
/// The longest part of it.
const LONGEST_LABEL: usize = 63;

/// A table of names; all clones are the same.
#[derive(Debug, Clone, Default)]
pub struct Names(Arc<RwLock<Table>>);

#[derive(Debug, Default)]
struct Table {
    /// By the owner; these come first.
    set: BTreeMap<String, Ipv4Addr>,
    /// By hosts; several may share a name, then the latest has it.
    hosts: BTreeMap<String, Vec<Ipv4Addr>>,
}

impl Names {
    /// What a name resolves to, in any spelling.
    #[must_use]
    pub fn resolve(&self, name: &str) -> Option<Ipv4Addr> {
        let name = plain(name);
        let table = self.0.read();
        let of_host = || table.hosts.get(&name).and_then(|all| all.last()).copied();
        table.set.get(&name).copied().or_else(of_host)
    }

    /// Lets a name resolve to an address.
    ///
    /// # Errors
    /// [`RegistryError::BadHostName`].
    pub fn set(&self, name: &str, address: Ipv4Addr) -> Result<(), RegistryError> {
        let plain = plain(name);
        if !is_host_name(&plain) {
            return Err(RegistryError::BadHostName(name.to_owned()));
        }
        self.0.write().set.insert(plain, address);
        Ok(())
    }

    /// Takes back what was set.
    pub fn unset(&self, name: &str) {
        self.0.write().set.remove(&plain(name));
    }

    /// Everything that resolves.
    #[must_use]
    pub fn all(&self) -> BTreeMap<String, Ipv4Addr> {
        let table = self.0.read();
        let hosts = table.hosts.iter().filter_map(|(name, all)| Some((name.clone(), *all.last()?)));
        hosts.chain(table.set.iter().map(|(name, address)| (name.clone(), *address))).collect()
    }

    /// A host is there.
    pub(crate) fn add_host(&self, name: &str, address: Ipv4Addr) {
        self.0.write().hosts.entry(plain(name)).or_default().push(address);
    }

    /// A host is gone.
    pub(crate) fn remove_host(&self, name: &str, address: Ipv4Addr) {
        let name = plain(name);
        let mut table = self.0.write();
        let Some(all) = table.hosts.get_mut(&name) else { return };
        if let Some(at) = all.iter().rposition(|known| *known == address) {
            all.remove(at);
        }
        if all.is_empty() {
            table.hosts.remove(&name);
        }
    }
}

/// A name as it is kept: lower case, without port and final dot.
fn plain(name: &str) -> String {
    let name = name.split_once(':').map_or(name, |(name, _)| name);
    name.strip_suffix('.').unwrap_or(name).to_ascii_lowercase()
}

/// Whether a registry host can be called that: a name, perhaps with a port.
pub(crate) fn is_registry_host(name: &str) -> bool {
    let port = name.split_once(':').map(|(_, port)| port);
    is_host_name(&plain(name)) && port.is_none_or(|port| port.parse::<u16>().is_ok())
}

fn is_host_name(name: &str) -> bool {
    let label = |label: &str| {
        (1..=LONGEST_LABEL).contains(&label.len())
            && label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
    };
    name.len() <= LONGEST && name.split('.').all(label)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_owner_comes_first_and_the_latest_host_has_a_shared_name() {
        let names = Names::default();
        let (a, b, c) = ([10, 0, 0, 1].into(), [10, 0, 0, 2].into(), [10, 0, 0, 3].into());
        names.add_host("API.example:5000", a);
        names.add_host("api.example", b);
        assert_eq!(names.resolve("api.EXAMPLE."), Some(b));
        names.set("api.example", c).unwrap();
        assert_eq!(names.resolve("api.example"), Some(c));
        assert_eq!(names.all().len(), 1);
        names.unset("api.example");
        names.remove_host("api.example", b);
        assert_eq!(names.resolve("api.example"), Some(a));
        names.remove_host("api.example", a);
        assert!(names.resolve("api.example").is_none() && names.all().is_empty());
    }

    #[test]
    fn what_is_no_name_is_refused() {
        for bad in ["", ".", "a..b", "a b", "ä.example", &"a".repeat(64), &"a.".repeat(200)] {
            assert!(Names::default().set(bad, [10, 0, 0, 1].into()).is_err(), "{bad}");
        }
        Names::default().set("kind-control-plane", [10, 0, 0, 1].into()).unwrap();
    }
}
