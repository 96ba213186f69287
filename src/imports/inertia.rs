//! Mass, centre and inertia of what links are made of.

use std::f64::consts::PI;

use mjcf_rs::{
    Pose,
    glam::{DMat3, DQuat, DVec3},
};

use super::robot::Shape;

/// How small a principal inertia may be: that of the mass at this distance from the axis, m.
const SMALLEST_GYRATION: f64 = 1e-3;
/// After so many rotations any symmetric matrix is diagonal to the last digit.
const ROTATIONS: usize = 64;

/// How mass is spread.
#[derive(Clone, Copy, Debug)]
pub(super) struct Inertia {
    /// kg.
    pub(super) mass: f64,
    /// In the link's frame, m.
    pub(super) center: DVec3,
    /// About the centre, along the axes of the link, kg·m².
    pub(super) tensor: DMat3,
}

impl Inertia {
    /// That of a homogeneous shape; nothing where the shape has no volume that is known.
    pub(super) fn of(shape: &Shape, pose: Pose, mass: f64) -> Option<Self> {
        let per_mass = gyration(shape)?;
        Some(
            Self {
                mass,
                center: DVec3::ZERO,
                tensor: DMat3::from_diagonal(per_mass * mass),
            }
            .within(pose),
        )
    }

    /// The same seen from the frame in which its own stands at `pose`.
    pub(super) fn within(self, pose: Pose) -> Self {
        let rotation = DMat3::from_quat(pose.rotation);
        Self {
            mass: self.mass,
            center: pose.transform_point(self.center),
            tensor: rotation * self.tensor * rotation.transpose(),
        }
    }

    /// Both together.
    pub(super) fn plus(self, other: Self) -> Self {
        let mass = self.mass + other.mass;
        if mass <= 0.0 {
            return self;
        }
        let center = (self.center * self.mass + other.center * other.mass) / mass;
        let tensor = self.about(center) + other.about(center);
        Self {
            mass,
            center,
            tensor,
        }
    }

    /// A share of it, spread like all of it.
    pub(super) fn times(self, share: f64) -> Self {
        Self {
            mass: self.mass * share,
            center: self.center,
            tensor: self.tensor * share,
        }
    }

    /// Makes every length `scale` times as long.
    pub(super) fn scale(&mut self, scale: f64) {
        self.center *= scale;
        self.tensor *= scale * scale;
    }

    /// The principal inertias, how their axes are turned, and whether all are what a body can have;
    /// those that are not are replaced.
    pub(super) fn principal(&self) -> (DVec3, DQuat, bool) {
        let (values, axes) = diagonal(self.tensor);
        let least = self.mass * SMALLEST_GYRATION * SMALLEST_GYRATION;
        // A file may state 0 for what it does not care for, and rounds.
        let is_sound = values.min_element() >= -1e-9 * values.max_element().abs();
        (values.max(DVec3::splat(least)), axes, is_sound)
    }

    /// The tensor about another point: a sum of Steiner.
    fn about(&self, point: DVec3) -> DMat3 {
        let arm = self.center - point;
        let outer = DMat3::from_cols(arm * arm.x, arm * arm.y, arm * arm.z);
        self.tensor + (DMat3::from_diagonal(DVec3::splat(arm.length_squared())) - outer) * self.mass
    }
}

/// The volume of a shape, where it is known, m³.
pub(super) fn volume(shape: &Shape) -> Option<f64> {
    Some(match shape {
        Shape::Box { half_extents } => 8.0 * half_extents.element_product(),
        Shape::Sphere { radius } => 4.0 / 3.0 * PI * radius.powi(3),
        Shape::Capsule {
            half_height,
            radius,
        } => PI * radius.powi(2) * (2.0 * half_height + 4.0 / 3.0 * radius),
        Shape::Cylinder {
            half_height,
            radius,
        } => PI * radius.powi(2) * 2.0 * half_height,
        Shape::Ellipsoid { radii } => 4.0 / 3.0 * PI * radii.element_product(),
        Shape::Plane | Shape::Mesh { .. } | Shape::Hull { .. } => return None,
    })
}

/// The principal inertias of a homogeneous shape for each kilogram of it, m².
fn gyration(shape: &Shape) -> Option<DVec3> {
    let around = |across: f64, along: f64| DVec3::new(across, across, along);
    Some(match *shape {
        Shape::Box { half_extents } => {
            let squares = half_extents * half_extents;
            (DVec3::splat(squares.element_sum()) - squares) / 3.0
        }
        Shape::Sphere { radius } => DVec3::splat(0.4 * radius * radius),
        Shape::Cylinder {
            half_height,
            radius,
        } => around(
            radius * radius / 4.0 + half_height * half_height / 3.0,
            radius * radius / 2.0,
        ),
        Shape::Capsule {
            half_height: h,
            radius: r,
        } => {
            let (tube, caps) = (2.0 * h, 4.0 / 3.0 * r);
            let (tube, caps) = (tube / (tube + caps), caps / (tube + caps));
            let across =
                tube * (r * r / 4.0 + h * h / 3.0) + caps * (0.4 * r * r + h * h + 0.75 * h * r);
            around(across, tube * r * r / 2.0 + caps * 0.4 * r * r)
        }
        Shape::Ellipsoid { radii } => {
            let squares = radii * radii;
            (DVec3::splat(squares.element_sum()) - squares) / 5.0
        }
        Shape::Plane | Shape::Mesh { .. } | Shape::Hull { .. } => return None,
    })
}

/// Jacobi's way to the eigenvalues of a symmetric matrix, and the rotation to its eigenvectors.
fn diagonal(tensor: DMat3) -> (DVec3, DQuat) {
    let mut matrix = tensor;
    let mut axes = DQuat::IDENTITY;
    for _ in 0..ROTATIONS {
        let [xy, xz, yz] = [matrix.y_axis.x, matrix.z_axis.x, matrix.z_axis.y];
        let (p, q, value) = if xy.abs() >= xz.abs() && xy.abs() >= yz.abs() {
            (0, 1, xy)
        } else if xz.abs() >= yz.abs() {
            (0, 2, xz)
        } else {
            (1, 2, yz)
        };
        let largest = matrix
            .to_cols_array()
            .iter()
            .fold(0.0, |a: f64, b| a.max(b.abs()));
        if value.abs() <= 1e-15 * largest {
            break;
        }
        let angle = 0.5 * (2.0 * value).atan2(matrix.col(q)[q] - matrix.col(p)[p]);
        let axis = [DVec3::Z, DVec3::NEG_Y, DVec3::X][p + q - 1];
        let turn = DQuat::from_axis_angle(axis, -angle);
        let rotation = DMat3::from_quat(turn);
        matrix = rotation.transpose() * matrix * rotation;
        axes *= turn;
    }
    let values = DVec3::new(matrix.x_axis.x, matrix.y_axis.y, matrix.z_axis.z);
    (values, axes.normalize())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tensor_is_made_of_its_principal_inertias_again() {
        for (values, turn) in [
            (DVec3::new(1.0, 2.0, 3.0), DVec3::new(0.3, -1.1, 2.0)),
            (DVec3::new(5.0, 5.0, 0.1), DVec3::new(-0.7, 0.2, 0.4)),
            (DVec3::new(1e-6, 2e-6, 2.5e-6), DVec3::new(1.0, 1.0, 1.0)),
        ] {
            let turn = DMat3::from_quat(DQuat::from_scaled_axis(turn));
            let tensor = turn * DMat3::from_diagonal(values) * turn.transpose();
            let (found, axes) = diagonal(tensor);
            let axes = DMat3::from_quat(axes);
            let again = axes * DMat3::from_diagonal(found) * axes.transpose();
            let error = (again - tensor)
                .to_cols_array()
                .iter()
                .fold(0.0, |a: f64, b| a.max(b.abs()));
            assert!(error < 1e-12 * values.max_element(), "{error} {values}");
        }
    }

    #[test]
    fn a_box_cut_in_two_weighs_and_turns_like_the_whole() {
        let half = Shape::Box {
            half_extents: DVec3::new(0.5, 0.2, 0.3),
        };
        let whole = Shape::Box {
            half_extents: DVec3::new(1.0, 0.2, 0.3),
        };
        let at = |x: f64| Pose::from_translation(DVec3::new(x, 0.0, 0.0));
        let both = Inertia::of(&half, at(-0.5), 1.0)
            .unwrap()
            .plus(Inertia::of(&half, at(0.5), 1.0).unwrap());
        let whole = Inertia::of(&whole, at(0.0), 2.0).unwrap();
        assert!(
            (both.tensor - whole.tensor)
                .to_cols_array()
                .iter()
                .all(|it| it.abs() < 1e-12)
        );
        assert!(both.center.length() < 1e-12);
    }

    #[test]
    fn a_capsule_of_no_height_is_a_ball_and_one_of_no_radius_a_rod() {
        let ball = gyration(&Shape::Capsule {
            half_height: 0.0,
            radius: 2.0,
        })
        .unwrap();
        assert!((ball - DVec3::splat(1.6)).length() < 1e-12);
        let rod = gyration(&Shape::Capsule {
            half_height: 3.0,
            radius: 1e-9,
        })
        .unwrap();
        assert!((rod - DVec3::new(3.0, 3.0, 0.0)).length() < 1e-6);
    }
}
