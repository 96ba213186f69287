//! The fields that several specifications share, side by side with their own.
//!
//! They stand flat on the wire. serde's `flatten` would lose the refusal of unknown fields and the
//! places of faults, so the fields are written into each structure.

/// Declares a structure with groups of shared fields after its own: `shape` (what a shape is made
/// of), `surface` (how it meets others) and `dynamics` (how a body moves).
macro_rules! with_fields {
    ([] $(#[$meta:meta])* pub struct $name:ident { $($fields:tt)* }) => {
        $(#[$meta])*
        pub struct $name { $($fields)* }
    };
    ([shape $($more:ident)*] $(#[$meta:meta])* pub struct $name:ident { $($fields:tt)* }) => {
        $crate::physics::fields::with_fields! { [$($more)*] $(#[$meta])* pub struct $name { $($fields)*
            /// The size of the shape, m; see the shapes.
            #[serde(default, deserialize_with = "crate::physics::vector::present_numbers", skip_serializing_if = "Option::is_none")]
            #[schema(nullable = false, max_items = 3)]
            pub size: Option<Vec<f32>>,
            /// Half the extents of a box, m.
            #[serde(default, deserialize_with = "crate::physics::vector::present", skip_serializing_if = "Option::is_none")]
            #[schema(nullable = false)]
            pub half_extents: Option<$crate::physics::vector::Vec3>,
            /// Half the height of a cylinder, a cone or the straight part of a capsule, m.
            #[serde(default, deserialize_with = "crate::physics::vector::present_number", skip_serializing_if = "Option::is_none")]
            #[schema(nullable = false, minimum = 1e-4, maximum = 1e5)]
            pub half_height: Option<f32>,
            /// The radius of a sphere, capsule, cylinder or cone, m.
            #[serde(default, deserialize_with = "crate::physics::vector::present_number", skip_serializing_if = "Option::is_none")]
            #[schema(nullable = false, minimum = 1e-4, maximum = 1e5)]
            pub radius: Option<f32>,
            /// The normal of a plane, of any length but 0; `[0, 1, 0]` unless given.
            #[serde(default, deserialize_with = "crate::physics::vector::present", skip_serializing_if = "Option::is_none")]
            #[schema(nullable = false)]
            pub normal: Option<$crate::physics::vector::Vec3>,
            /// How far a plane lies from `position` along its normal, m; 0 unless given.
            #[serde(default, deserialize_with = "crate::physics::vector::present_number", skip_serializing_if = "Option::is_none")]
            #[schema(nullable = false, minimum = -1e6, maximum = 1e6)]
            pub offset: Option<f32>,
            /// Along which axis a capsule, cylinder or cone stands; y unless given. A cone points
            /// the way the axis does.
            #[serde(default, deserialize_with = "crate::physics::vector::present_word", skip_serializing_if = "Option::is_none")]
            #[schema(nullable = false)]
            pub axis: Option<$crate::physics::shape::Axis>,
            /// One end of a segment, or the centre of one end of a capsule, m.
            #[serde(default, deserialize_with = "crate::physics::vector::present", skip_serializing_if = "Option::is_none")]
            #[schema(nullable = false)]
            pub point_a: Option<$crate::physics::vector::Vec3>,
            /// The other end of a segment or capsule, m.
            #[serde(default, deserialize_with = "crate::physics::vector::present", skip_serializing_if = "Option::is_none")]
            #[schema(nullable = false)]
            pub point_b: Option<$crate::physics::vector::Vec3>,
            /// Rounds the edges of a box, cylinder, cone, triangle, convex hull or convex
            /// decomposition, which grows by as much all around, m.
            #[serde(default, deserialize_with = "crate::physics::vector::present_number", skip_serializing_if = "Option::is_none")]
            #[schema(nullable = false, minimum = 1e-4, maximum = 1e5)]
            pub border_radius: Option<f32>,
            /// The points of a triangle, polyline, convex hull, convex decomposition or mesh, m.
            #[serde(default, deserialize_with = "crate::physics::vector::present", skip_serializing_if = "Option::is_none")]
            #[schema(nullable = false, value_type = Option<Vec<$crate::physics::vector::Vec3>>)]
            pub vertices: Option<std::sync::Arc<[$crate::physics::vector::Vec3]>>,
            /// `[a, b, c]` for each triangle of a mesh or convex decomposition, counterclockwise
            /// seen from outside; `[a, b]` for each segment of a polyline, which joins its vertices
            /// in their order unless they are given.
            #[serde(default, deserialize_with = "crate::physics::vector::present", skip_serializing_if = "Option::is_none")]
            #[schema(nullable = false)]
            pub indices: Option<$crate::physics::shape::Indices>,
            /// The heights of a heightfield: its rows follow each other along z, the numbers of a
            /// row along x.
            #[serde(default, deserialize_with = "crate::physics::vector::present", skip_serializing_if = "Option::is_none")]
            #[schema(nullable = false)]
            pub heights: Option<$crate::physics::shape::Heights>,
            /// What a heightfield measures in x and z, m, around its middle, and what its heights
            /// are multiplied by.
            #[serde(default, deserialize_with = "crate::physics::vector::present", skip_serializing_if = "Option::is_none")]
            #[schema(nullable = false)]
            pub scale: Option<$crate::physics::vector::Vec3>,
            /// The extents of one voxel, m.
            #[serde(default, deserialize_with = "crate::physics::vector::present", skip_serializing_if = "Option::is_none")]
            #[schema(nullable = false)]
            pub voxel_size: Option<$crate::physics::vector::Vec3>,
            /// The cells of the grid that are filled; cell `[i, j, k]` begins at its indices times
            /// `voxel_size`.
            #[serde(default, deserialize_with = "crate::physics::vector::present", skip_serializing_if = "Option::is_none")]
            #[schema(nullable = false, value_type = Option<Vec<$crate::physics::shape::Cell>>)]
            pub voxels: Option<std::sync::Arc<[$crate::physics::shape::Cell]>>,
            /// An uploaded mesh, instead of `vertices` and `indices`: the SHA-256 of its bytes.
            #[serde(default, deserialize_with = "crate::physics::vector::present", skip_serializing_if = "Option::is_none")]
            #[schema(nullable = false, value_type = Option<String>, pattern = "^[0-9a-f]{64}$")]
            pub asset: Option<$crate::physics::asset::AssetId>,
            /// How finely a convex decomposition looks at its mesh, in cells along its longest
            /// side; 32 unless given.
            #[serde(default, deserialize_with = "crate::physics::vector::present", skip_serializing_if = "Option::is_none")]
            #[schema(nullable = false, minimum = 8, maximum = 64)]
            pub resolution: Option<u32>,
            /// How many convex parts a convex decomposition may have; 16 unless given.
            #[serde(default, deserialize_with = "crate::physics::vector::present", skip_serializing_if = "Option::is_none")]
            #[schema(nullable = false, minimum = 1, maximum = 64)]
            pub max_hulls: Option<u32>,
        } }
    };
    ([surface $($more:ident)*] $(#[$meta:meta])* pub struct $name:ident { $($fields:tt)* }) => {
        $crate::physics::fields::with_fields! { [$($more)*] $(#[$meta])* pub struct $name { $($fields)*
            /// kg/m³, instead of a mass.
            #[serde(default, deserialize_with = "crate::physics::vector::present_number", skip_serializing_if = "Option::is_none")]
            #[schema(nullable = false, minimum = 1e-6, maximum = 1e9)]
            pub density: Option<f32>,
            /// How a pair's friction follows from its two; `average` unless given. Where they
            /// differ, the one that stands later in the list of rules is taken.
            #[serde(default, deserialize_with = "crate::physics::vector::present_word", skip_serializing_if = "Option::is_none")]
            #[schema(nullable = false)]
            pub friction_combine_rule: Option<$crate::physics::body::CombineRule>,
            /// How a pair's bounciness follows from its two; `average` unless given.
            #[serde(default, deserialize_with = "crate::physics::vector::present_word", skip_serializing_if = "Option::is_none")]
            #[schema(nullable = false)]
            pub restitution_combine_rule: Option<$crate::physics::body::CombineRule>,
            /// Who meets whom; everybody unless given.
            #[serde(default, deserialize_with = "crate::physics::object::present_object", skip_serializing_if = "Option::is_none")]
            #[schema(nullable = false)]
            pub collision_groups: Option<$crate::physics::body::Groups>,
            /// Who is pushed apart where they meet; everybody unless given.
            #[serde(default, deserialize_with = "crate::physics::object::present_object", skip_serializing_if = "Option::is_none")]
            #[schema(nullable = false)]
            pub solver_groups: Option<$crate::physics::body::Groups>,
            /// How far from its surface others are held, m; 0 unless given.
            #[serde(default, deserialize_with = "crate::physics::vector::present_number", skip_serializing_if = "Option::is_none")]
            #[schema(nullable = false, minimum = 0.0, maximum = 1e5)]
            pub contact_skin: Option<f32>,
        } }
    };
    ([dynamics $($more:ident)*] $(#[$meta:meta])* pub struct $name:ident { $($fields:tt)* }) => {
        $crate::physics::fields::with_fields! { [$($more)*] $(#[$meta])* pub struct $name { $($fields)*
            /// Mass, centre of mass and inertia, instead of what the shapes would give.
            #[serde(default, deserialize_with = "crate::physics::object::present_object", skip_serializing_if = "Option::is_none")]
            #[schema(nullable = false)]
            pub mass_properties: Option<$crate::physics::body::MassProperties>,
            /// What share of gravity it feels; 1 unless given.
            #[serde(default, deserialize_with = "crate::physics::vector::present_number", skip_serializing_if = "Option::is_none")]
            #[schema(nullable = false, minimum = -1e3, maximum = 1e3)]
            pub gravity_scale: Option<f32>,
            /// The world's axes along or about which it does not move, whatever pushes it.
            #[serde(default, deserialize_with = "crate::physics::vector::present", skip_serializing_if = "Option::is_none")]
            #[schema(nullable = false)]
            pub locked_axes: Option<$crate::physics::body::LockedAxes>,
            /// Whoever has more is not moved by whoever has less; 0 unless given.
            #[serde(default, deserialize_with = "crate::physics::vector::present", skip_serializing_if = "Option::is_none")]
            #[schema(nullable = false, minimum = -127, maximum = 127)]
            pub dominance: Option<i8>,
            /// Whether it is swept along its path, so that it does not pass through thin dynamic
            /// bodies; unless given, a body sent off at 30 m/s or more is.
            #[serde(default, deserialize_with = "crate::physics::vector::present", skip_serializing_if = "Option::is_none")]
            #[schema(nullable = false)]
            pub ccd: Option<bool>,
            /// How far ahead contacts are foreseen, m: a cheaper way not to pass through what is
            /// thin; 0 unless given.
            #[serde(default, deserialize_with = "crate::physics::vector::present_number", skip_serializing_if = "Option::is_none")]
            #[schema(nullable = false, minimum = 0.0, maximum = 1e5)]
            pub soft_ccd_prediction: Option<f32>,
            /// Whether it takes part in anything at all; true unless given.
            #[serde(default, deserialize_with = "crate::physics::vector::present", skip_serializing_if = "Option::is_none")]
            #[schema(nullable = false)]
            pub enabled: Option<bool>,
            /// Puts it to sleep, which stops it, or wakes it up.
            #[serde(default, deserialize_with = "crate::physics::vector::present", skip_serializing_if = "Option::is_none")]
            #[schema(nullable = false)]
            pub sleeping: Option<bool>,
            /// From which force on its contacts are reported, N; they are not unless given.
            #[serde(default, deserialize_with = "crate::physics::vector::present_number", skip_serializing_if = "Option::is_none")]
            #[schema(nullable = false, minimum = 0.0)]
            pub contact_force_threshold: Option<f32>,
            /// How many more rounds the solver takes for it and what it touches; 0 unless given.
            #[serde(default, deserialize_with = "crate::physics::vector::present", skip_serializing_if = "Option::is_none")]
            #[schema(nullable = false, minimum = 0, maximum = 16)]
            pub additional_solver_iterations: Option<u8>,
        } }
    };
}

/// Calls a macro with the names of a group's fields after its other arguments.
macro_rules! each_field {
    (shape, $call:ident!($($arguments:tt)*)) => {
        $call! { $($arguments)*;
            size, half_extents, half_height, radius, normal, offset, axis, point_a, point_b,
            border_radius, vertices, indices, heights, scale, voxel_size, voxels, asset, resolution,
            max_hulls
        }
    };
    (surface, $call:ident!($($arguments:tt)*)) => {
        $call! { $($arguments)*;
            density, friction_combine_rule, restitution_combine_rule, collision_groups,
            solver_groups, contact_skin
        }
    };
    (dynamics, $call:ident!($($arguments:tt)*)) => {
        $call! { $($arguments)*;
            mass_properties, gravity_scale, locked_axes, dominance, ccd, soft_ccd_prediction,
            enabled, contact_force_threshold, additional_solver_iterations
        }
    };
}

/// Copies fields from one structure to another.
macro_rules! copy_fields {
    ($from:expr, $to:expr; $($field:ident),*) => { $($to.$field.clone_from(&$from.$field);)* };
}

/// Copies the fields that are given from one structure to another.
macro_rules! take_fields {
    ($from:expr, $to:expr; $($field:ident),*) => {
        $(if $from.$field.is_some() { $to.$field.clone_from(&$from.$field); })*
    };
}

/// The names of fields, and whether each is given.
macro_rules! given_fields {
    ($from:expr; $($field:ident),*) => { [$((stringify!($field), $from.$field.is_some())),*] };
}

pub(super) use {copy_fields, each_field, given_fields, take_fields, with_fields};
