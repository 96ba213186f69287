//! A simulation as the fields of its entry.

use super::Registration;

/// What the entry of a simulation says whose journal outlives its owner.
pub(super) const JOURNAL: &str = "journal";
const REGISTRY: &str = "registry";

impl Registration {
    /// The fields and their values, but for what changes while it lasts.
    pub(super) fn fields(&self) -> impl Iterator<Item = (&'static str, String)> {
        let durability = match self.journal {
            Some(_) => JOURNAL,
            None => REGISTRY,
        };
        let tenant = self.tenant.as_ref();
        let tenant = tenant.map(|tenant| ("tenant", tenant.to_string()));
        let own = [
            ("durability", durability.to_owned()),
            ("created", self.created.to_string()),
        ];
        self.details.iter().cloned().chain(tenant).chain(own)
    }
}
