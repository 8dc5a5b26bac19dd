//! The keys `verify` and `outputs-from`. After a target's run has succeeded, a hub job reads from GitHub whether its
//! release and its attestation exist, and takes outputs from the release.

use super::schema::{OUTPUTS_FROM, VERIFY};
use super::{Input, Keys, Reader, did_you_mean, text};
use crate::yaml::{Node, PlacedValue};

/// The checks before a target counts as released.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Verify {
    /// A template for the tag of the release that its run has published.
    pub release: Option<Input>,
    /// Whether that release has to be immutable.
    pub immutable: bool,
    /// A template for the digest that has to be the subject of an attestation of its run.
    pub attestation: Option<Input>,
}

impl Verify {
    /// Whether it has no checks.
    #[must_use]
    pub fn is_blank(&self) -> bool {
        *self == Self::default()
    }

    /// The templates.
    pub fn templates(&self) -> impl Iterator<Item = &Input> {
        self.release.iter().chain(&self.attestation)
    }
}

impl Reader<'_> {
    /// The checks of a mapping; `None` without the key `verify`.
    pub(super) fn verify(&mut self, keys: &Keys<'_>) -> Option<Verify> {
        let node = keys.get("verify").copied()?;
        let keys = self.keys(node, "`verify`", VERIFY);
        let template = |key: &str| {
            let place = keys.get(key)?.place.clone();
            Some(Input { name: format!("verify.{key}"), template: text(&keys, key)?, place })
        };
        let immutable = keys.get("immutable").is_some_and(|node| node.value == Node::Bool(true));
        Some(Verify { release: template("release"), immutable, attestation: template("attestation") })
    }

    /// Whether the outputs of a target come from its release; `None` without the key `outputs-from`.
    pub(super) fn outputs_from_release(&mut self, keys: &Keys<'_>) -> Option<bool> {
        let node = keys.get("outputs-from")?;
        let word = node.value.to_text();
        if !OUTPUTS_FROM.contains(&word.trim()) {
            let what = format_args!("`outputs-from` is `{}`", word.trim());
            self.refuse(&node.place, what, did_you_mean(&word, OUTPUTS_FROM.into_iter()));
            return None;
        }
        Some(true)
    }

    /// Refuses a check of a release without a tag.
    pub(super) fn refuse_nameless_release(
        &mut self,
        node: &PlacedValue<Node>,
        verify: &Verify,
        outputs_from_release: bool,
    ) {
        if verify.immutable && verify.release.is_none() && !outputs_from_release {
            let what = "`verify` has `immutable`, but names no release";
            self.refuse(
                &node.place,
                what,
                "add `release: TAG` to `verify`, or `outputs-from: release` to the target",
            );
        }
    }
}
