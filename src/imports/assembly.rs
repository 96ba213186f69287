//! What has to be done to a robot that was read before it can be simulated: no moving part without a
//! mass, no link that is only a name, every link where its joints put it.

use super::{
    inertia::{Inertia, volume},
    notes::{Notes, shortened},
    request::ImportRequest,
    robot::{Freedom, Geom, Joint, Link, Motion, Robot, Shape},
};

/// The share of a link's mass that goes to a massless one which it hangs on, such as stands
/// between two joints of one body: all in all the robot weighs what it did.
const SPACER_SHARE: f64 = 0.05;
/// What a link weighs that has to weigh something and of which nothing is known, kg.
const MASS_OF_UNKNOWN: f64 = 0.1;
/// The size of such a link, m.
const SIZE_OF_UNKNOWN: f64 = 0.05;

impl Robot {
    /// Gives links without a mass that of their shapes.
    pub(super) fn weigh_shapes(&mut self, density: f64) {
        for link in &mut self.links {
            if link.inertia.is_none() && link.density.is_none() {
                link.inertia = of_shapes(&link.geoms, density);
            }
        }
    }

    /// Has links without a mass that are made of assets weigh what is only known once these are
    /// read, if the density is.
    pub(super) fn weigh_meshes(&mut self, request: &ImportRequest) {
        for link in &mut self.links {
            let is_made_of_asset = link.geoms.iter().any(|geom| request.brings(&geom.shape));
            if link.inertia.is_none() && is_made_of_asset {
                link.density = request.density.map(f64::from);
            }
        }
    }

    /// Makes links that weigh nothing and hang rigidly on another, or that others hang on so, part
    /// of that; and what hangs rigidly on the ground, part of the ground.
    pub(super) fn merge_frames(&mut self) {
        let mut index = 0;
        while index < self.joints.len() {
            let joint = &self.joints[index];
            let [parent, child] = [joint.parent, joint.child];
            let is_rigid = joint.freedom == Freedom::Fixed && !joint.closes_loop;
            let is_frame = self.links[child].is_weightless() || self.links[parent].is_weightless();
            if is_rigid && (is_frame || self.links[parent].motion == Motion::Static) {
                self.merge(index);
                // Whatever became of the joints before it may be rigid and light now.
                index = 0;
            } else {
                index += 1;
            }
        }
        self.remove_merged();
    }

    /// Makes the child of a rigid joint part of its parent.
    fn merge(&mut self, index: usize) {
        let gone = self.joints.remove(index);
        let offset = gone.frame_a * gone.frame_b.inverse();
        let child = &mut self.links[gone.child];
        let names = std::mem::take(&mut child.names);
        let geoms = std::mem::take(&mut child.geoms);
        let inertia = child.inertia.take().map(|it| it.within(offset));
        let density = child.density.take();
        let parent = &mut self.links[gone.parent];
        if density.is_some() && parent.is_weightless() {
            parent.density = density;
        }
        parent.names.extend(names);
        parent.geoms.extend(geoms.into_iter().map(|geom| Geom {
            pose: offset * geom.pose,
            ..geom
        }));
        parent.inertia = match (parent.inertia, inertia) {
            (Some(own), Some(other)) => Some(own.plus(other)),
            (own, other) => own.or(other),
        };
        for joint in &mut self.joints {
            if joint.parent == gone.child {
                joint.parent = gone.parent;
                joint.frame_a = offset * joint.frame_a;
            }
            if joint.child == gone.child {
                joint.child = gone.parent;
                joint.frame_b = offset * joint.frame_b;
            }
        }
    }

    /// Drops links that have become parts of others.
    fn remove_merged(&mut self) {
        let mut kept = 0;
        let places: Vec<usize> = self
            .links
            .iter()
            .map(|link| {
                let place = kept;
                kept += usize::from(!link.names.is_empty());
                place
            })
            .collect();
        self.links.retain(|link| !link.names.is_empty());
        for joint in &mut self.joints {
            joint.parent = places[joint.parent];
            joint.child = places[joint.child];
        }
    }

    /// Drops the world of a file that has nothing in it and holds nothing.
    pub(super) fn drop_bare_ground(&mut self) {
        let is_held = |joint: &Joint| joint.parent == 0 || joint.child == 0;
        let Some(ground) = self.links.first() else {
            return;
        };
        if ground.is_named || !ground.geoms.is_empty() || self.joints.iter().any(is_held) {
            return;
        }
        self.links.remove(0);
        for joint in &mut self.joints {
            joint.parent -= 1;
            joint.child -= 1;
        }
    }

    /// Gives every link that moves and weighs nothing a mass: some of what hangs on it, or one that
    /// is made up.
    pub(super) fn weigh_spacers(&mut self, notes: &mut Notes) {
        // Children come after their parents, and a link takes from one that has its own already.
        for index in (0..self.links.len()).rev() {
            let link = &self.links[index];
            if link.motion == Motion::Static || !link.is_weightless() {
                continue;
            }
            let heavy = |child: usize| {
                let link = &self.links[child];
                link.motion == Motion::Dynamic && link.inertia.is_some_and(|it| it.mass > 0.0)
            };
            let joint = self
                .joints
                .iter()
                .find(|joint| joint.parent == index && !joint.closes_loop && heavy(joint.child));
            let Some(joint) = joint else {
                let name = shortened(&link.names[0], 64);
                notes.ignore(format_args!(
                    "link {name}: moves and states no mass, taken as {MASS_OF_UNKNOWN} kg"
                ));
                let radius = SIZE_OF_UNKNOWN;
                self.links[index].inertia = Inertia::of(
                    &Shape::Sphere { radius },
                    mjcf_rs::Pose::IDENTITY,
                    MASS_OF_UNKNOWN,
                );
                continue;
            };
            let offset = joint.frame_a * joint.frame_b.inverse();
            let child = joint.child;
            let Some(whole) = self.links[child].inertia else {
                continue;
            };
            self.links[child].inertia = Some(whole.times(1.0 - SPACER_SHARE));
            self.links[index].inertia = Some(whole.times(SPACER_SHARE).within(offset));
        }
    }

    /// Puts links after those they hang on, and stands every one where its joint puts it. Answers
    /// with the first that hangs on itself, if one does.
    pub(super) fn arrange(&mut self) -> Result<(), String> {
        let mut order: Vec<usize> = Vec::with_capacity(self.links.len());
        let mut hangs_on: Vec<Option<usize>> = vec![None; self.links.len()];
        let mut held: Vec<Vec<usize>> = vec![Vec::new(); self.links.len()];
        for (index, joint) in self.joints.iter().enumerate() {
            if !joint.closes_loop {
                hangs_on[joint.child] = Some(index);
                held[joint.parent].push(index);
            }
        }
        let roots = (0..self.links.len()).filter(|link| hangs_on[*link].is_none());
        let mut waiting: Vec<usize> = roots.collect();
        waiting.reverse();
        while let Some(link) = waiting.pop() {
            order.push(link);
            for &joint in held[link].iter().rev() {
                let joint = &self.joints[joint];
                self.links[joint.child].pose =
                    self.links[link].pose * joint.frame_a * joint.frame_b.inverse();
                waiting.push(joint.child);
            }
        }
        if order.len() < self.links.len() {
            let lost = (0..self.links.len()).find(|link| !order.contains(link));
            let lost = lost.expect("there are more links than were reached");
            return Err(shortened(&self.links[lost].names[0], 64));
        }
        self.reorder(&order);
        Ok(())
    }

    fn reorder(&mut self, order: &[usize]) {
        let mut places = vec![0; order.len()];
        for (place, &link) in order.iter().enumerate() {
            places[link] = place;
        }
        let mut links: Vec<(usize, Link)> = std::mem::take(&mut self.links)
            .into_iter()
            .enumerate()
            .collect();
        links.sort_by_key(|(link, _)| places[*link]);
        self.links = links.into_iter().map(|(_, link)| link).collect();
        for joint in &mut self.joints {
            joint.parent = places[joint.parent];
            joint.child = places[joint.child];
        }
        // A joint holds on to bodies of a multibody that is there already.
        self.joints
            .sort_by_key(|joint| (joint.closes_loop, joint.child));
    }
}

/// Mass and inertia of shapes of the same density.
fn of_shapes(geoms: &[Geom], density: f64) -> Option<Inertia> {
    geoms
        .iter()
        .filter_map(|geom| {
            let mass = volume(&geom.shape)? * density;
            Inertia::of(&geom.shape, geom.pose, mass)
        })
        .reduce(Inertia::plus)
}
