//! Whether the joints of multibodies form trees, and of what size.

use std::collections::HashSet;

use indexmap::IndexMap;

use super::spec::JointSpec;
use crate::{
    id::BodyId,
    physics::{error::PhysicsError, fault::Faults, limits},
};

/// Which bodies hang together by joints of multibodies, and by which of these and coupled joints.
#[derive(Default)]
pub(in crate::physics) struct Forest<'a> {
    /// For every linked body another one of its tree, nearer to the one that stands for the tree.
    towards: IndexMap<&'a BodyId, &'a BodyId>,
    /// How many bodies the trees have, under the bodies that stand for them.
    sizes: IndexMap<&'a BodyId, usize>,
    /// The bodies that hang on another one.
    hanging: HashSet<&'a BodyId>,
    /// The bodies that a coupled joint holds.
    coupled: HashSet<&'a BodyId>,
}

impl<'a> Forest<'a> {
    /// The forest of joints that were checked before.
    pub(in crate::physics) fn of(joints: impl Iterator<Item = &'a JointSpec>) -> Self {
        let mut forest = Self::default();
        for joint in joints {
            forest.grow(joint);
        }
        forest
    }

    /// Notes why a joint cannot be added, and adds it otherwise.
    pub(in crate::physics) fn add(&mut self, joint: &'a JointSpec, faults: &mut Faults) {
        let ends = [("body_a", &joint.body_a), ("body_b", &joint.body_b)];
        if joint.is_coupled() {
            for (field, body) in ends {
                if self.towards.contains_key(body) {
                    let detail = "is in a multibody, which ropes, springs and other coupled \
                                  joints cannot hold";
                    faults.add(field, detail);
                }
            }
        }
        if joint.multibody {
            for (field, body) in ends {
                if self.coupled.contains(body) {
                    let detail = "is held by a rope, a spring or another coupled joint, which a \
                                  multibody cannot be";
                    faults.add(field, detail);
                }
            }
            if self.hanging.contains(&joint.body_b) {
                let detail = "body_b hangs on another body of a multibody already";
                faults.add("multibody", detail);
            } else if self.root(&joint.body_a) == self.root(&joint.body_b) {
                let detail = "closes a loop, which a multibody cannot have: let one of its joints \
                              be none of a multibody";
                faults.add("multibody", detail);
            }
        }
        self.grow(joint);
    }

    /// Refuses trees that are too large; what they cost grows with the square of their size.
    pub(in crate::physics) fn check_size(&self) -> Result<(), PhysicsError> {
        let largest = self.sizes.values().max();
        limits::check_links(largest.copied().unwrap_or_default())
    }

    fn grow(&mut self, joint: &'a JointSpec) {
        let ends = [&joint.body_a, &joint.body_b];
        if joint.is_coupled() {
            self.coupled.extend(ends);
        }
        if !joint.multibody {
            return;
        }
        self.hanging.insert(&joint.body_b);
        let [a, b] = ends.map(|body| {
            self.towards.entry(body).or_insert(body);
            self.root(body)
        });
        if a != b {
            let mut size_of = |root| self.sizes.swap_remove(root).unwrap_or(1);
            let (size_a, size_b) = (size_of(a), size_of(b));
            let (large, small) = if size_a < size_b { (b, a) } else { (a, b) };
            self.towards.insert(small, large);
            self.sizes.insert(large, size_a + size_b);
        }
    }

    /// The body that stands for the tree of `body`.
    fn root(&self, body: &'a BodyId) -> &'a BodyId {
        let mut root = body;
        while let Some(&next) = self.towards.get(root)
            && next != root
        {
            root = next;
        }
        root
    }
}
