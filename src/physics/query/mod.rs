//! Questions about where bodies are, answered from a view and never from the world.

mod cast;
mod filter;
mod hit;
mod near;
mod scene;
mod spec;
mod turn;

pub use hit::{Answer, Hit};
pub(super) use scene::Scene;
pub use spec::{Query, QueryKind, QuerySpec};

use spec::Ask;

use super::{error::PhysicsError, fault::Faults, view::View};
use crate::id::BodyId;

impl View {
    /// Answers the query that stands at `index` in a request, with `most` hits at most.
    pub fn answer(
        &self,
        index: usize,
        query: &Query,
        most: usize,
    ) -> Result<Answer<'_>, PhysicsError> {
        let filter = filter::Filter::of(&query.filter, self)?;
        let seen = scene::Sight {
            scene: self.scene(),
            filter,
        };
        let hits = match &query.ask {
            Ask::Ray(ray) => seen.cast_ray(ray),
            Ask::Cast(cast) => seen.cast_shape(cast),
            Ask::Point(point) => seen.project(point),
            Ask::Overlap(placed) => seen.overlapping(placed),
            Ask::Inside(point) => seen.around(*point),
            Ask::Aabb(aabb) => seen.within(aabb),
            Ask::Distance(a, b) => {
                let found = |id: &BodyId| {
                    let position = self.roster.bodies.get_index_of(id);
                    position.ok_or_else(|| PhysicsError::BodyNotFound(id.clone()))
                };
                let (a, b) = (found(a)?, found(b)?);
                let nearest = self.scene().distance(a, b);
                let nearest = nearest.ok_or_else(|| incomparable(index))?;
                vec![nearest]
            }
        };
        Ok(Answer::new(self, hits, most))
    }

    /// All that can be met now, made when it is first asked for.
    fn scene(&self) -> &Scene {
        self.scene.get_or_init(|| Scene::of(self))
    }
}

fn incomparable(index: usize) -> PhysicsError {
    let mut faults = Faults::default();
    faults.within("queries", |faults| {
        let detail = "these two have no shapes between which a distance can be told";
        faults.add(&index.to_string(), detail);
    });
    PhysicsError::Invalid(faults.into_vec())
}

#[cfg(test)]
mod tests;
