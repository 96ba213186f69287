//! The joints of a model: several on one body become a chain.

use mjcf_rs::{
    Pose,
    body::{Joint as Source, JointType},
    equality::Equality,
    glam::{DQuat, DVec3},
};

use super::{Converter, empty_link, turn_of_x};
use crate::imports::{
    notes::shortened,
    robot::{Drive, Freedom, Joint, Link},
};

impl Converter<'_> {
    /// Adds a link and the joints that it hangs on its parent by, with links that weigh nothing
    /// between them. Answers with its place.
    pub(super) fn tie(&mut self, index: usize, parent: usize, link: Link) -> usize {
        let sources = &self.model.bodies[index].body.joints;
        let name = link.names[0].clone();
        let pose = link.pose;
        let mut above = parent;
        for (number, source) in sources.iter().enumerate() {
            if number + 1 < sources.len() {
                let mut spacer = empty_link(format!("{name}_{}", number + 1), pose);
                spacer.is_named = false;
                self.robot.links.push(spacer);
                let between = self.robot.links.len() - 1;
                self.add_joint(source, &name, [above, between]);
                above = between;
            }
        }
        self.robot.links.push(link);
        let leaf = self.robot.links.len() - 1;
        if let Some(source) = sources.last() {
            self.add_joint(source, &name, [above, leaf]);
        } else {
            let mut weld = plain_joint(format!("{name}_weld"), [above, leaf], Freedom::Fixed);
            weld.frame_a = self.robot.links[above].pose.inverse() * pose;
            self.robot.joints.push(weld);
        }
        leaf
    }

    fn add_joint(&mut self, source: &Source, body: &str, [parent, child]: [usize; 2]) {
        let freedom = match source.type_ {
            JointType::Hinge => Freedom::Revolute,
            JointType::Slide => Freedom::Prismatic,
            // A free joint among others has been warned of by nobody else.
            JointType::Ball | JointType::Free => Freedom::Spherical,
        };
        let name = source.name.clone();
        let name = name.unwrap_or_else(|| format!("{body}_joint"));
        let shown = shortened(&name, 64);
        let turn = match freedom {
            Freedom::Revolute | Freedom::Prismatic => turn_of_x(DVec3::from_array(source.axis)),
            Freedom::Fixed | Freedom::Spherical | Freedom::Planar | Freedom::Free => {
                DQuat::IDENTITY
            }
        };
        let frame_b = Pose::from_parts(DVec3::from_array(source.pos), turn);
        let poses = [parent, child].map(|link| self.robot.links[link].pose);
        let frame_a = poses[0].inverse() * poses[1] * frame_b;

        let is_limited = source
            .limited
            .resolve(self.model.compiler.autolimits, source.range.is_some());
        let mut limits = source.range.filter(|_| is_limited);
        if freedom == Freedom::Spherical && limits.take().is_some() {
            self.notes.ignore(format_args!("joint {shown}: its range"));
        }
        if limits.is_some_and(|[least, most]| least > most) {
            self.notes
                .refuse(format_args!("joint \"{shown}\": its range is reversed"));
        }
        let negative = [
            source.stiffness,
            source.damping,
            source.armature,
            source.frictionloss,
        ];
        if negative.iter().any(|it| *it < 0.0) {
            self.notes.refuse(format_args!(
                "joint \"{shown}\": stiffness, damping, armature and frictionloss must not be negative"
            ));
        }
        if source.springdamper.is_some() {
            self.notes
                .ignore(format_args!("joint {shown}: springdamper"));
        }
        self.robot.joints.push(Joint {
            is_named: source.name.is_some(),
            frame_a,
            frame_b,
            // The file counts from its reference, joints here from how the file stands.
            limits: limits.map(|limits| limits.map(|limit| limit - source.ref_)),
            drive: Drive {
                stiffness: source.stiffness,
                damping: source.damping,
                target: source.springref - source.ref_,
                ..Drive::default()
            },
            armature: source.armature,
            friction: source.frictionloss,
            is_actuated: false,
            ..plain_joint(name, [parent, child], freedom)
        });
    }

    /// Adds what closes kinematic loops.
    pub(super) fn add_closures(&mut self) {
        let model = self.model;
        for (number, equality) in model.equality.iter().enumerate() {
            let (common, ends, anchor, freedom) = match equality {
                Equality::Connect(it) => (
                    &it.common,
                    [Some(it.body1.as_str()), it.body2.as_deref()],
                    Some(it.anchor),
                    Freedom::Spherical,
                ),
                Equality::Weld(it) if it.relpose.is_none() => (
                    &it.common,
                    [Some(it.body1.as_str()), it.body2.as_deref()],
                    it.anchor,
                    Freedom::Fixed,
                ),
                Equality::Weld(_) | Equality::Joint(_) | Equality::Tendon(_) => {
                    self.notes
                        .ignore("<equality>: what is neither connect nor a plain weld");
                    continue;
                }
            };
            if !common.active {
                continue;
            }
            let ends = ends.map(|name| match name {
                Some(name) => model.body_id_by_name(name).map(|it| self.leaves[it]),
                None => Some(0),
            });
            let [Some(parent), Some(child)] = ends else {
                self.notes
                    .refuse("<equality>: ties a body that is not there");
                continue;
            };
            if parent == child {
                self.notes.refuse("<equality>: ties a body to itself");
                continue;
            }
            let name = common.name.clone();
            let is_named = name.is_some();
            let name = name.unwrap_or_else(|| format!("equality_{number}"));
            let frame_a = Pose::from_translation(DVec3::from_array(anchor.unwrap_or_default()));
            let poses = [parent, child].map(|link| self.robot.links[link].pose);
            self.robot.joints.push(Joint {
                is_named,
                frame_a,
                frame_b: poses[1].inverse() * poses[0] * frame_a,
                closes_loop: true,
                ..plain_joint(name, [parent, child], freedom)
            });
        }
    }
}

fn plain_joint(name: String, [parent, child]: [usize; 2], freedom: Freedom) -> Joint {
    Joint {
        name,
        is_named: false,
        parent,
        child,
        frame_a: Pose::IDENTITY,
        frame_b: Pose::IDENTITY,
        freedom,
        limits: None,
        drive: Drive::default(),
        armature: 0.0,
        friction: 0.0,
        is_actuated: false,
        closes_loop: false,
    }
}
