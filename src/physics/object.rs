//! Objects as they stand on the wire. serde would also take an array of their fields' values.

use std::{fmt, marker::PhantomData, sync::Arc};

use serde::{Deserialize, Deserializer, de};

/// An object and nothing else.
pub(crate) struct Object<T>(pub(crate) T);

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Object<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor<T>(PhantomData<T>);

        impl<'de, T: Deserialize<'de>> de::Visitor<'de> for Visitor<T> {
            type Value = Object<T>;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("an object")
            }

            fn visit_map<A: de::MapAccess<'de>>(self, map: A) -> Result<Self::Value, A::Error> {
                T::deserialize(de::value::MapAccessDeserializer::new(map)).map(Object)
            }
        }

        deserializer.deserialize_map(Visitor(PhantomData))
    }
}

/// Deserialises an object where an optional field is present.
pub(crate) fn present_object<'de, D, T>(deserializer: D) -> Result<Option<T>, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de>,
{
    Object::deserialize(deserializer).map(|Object(object)| Some(object))
}

/// Deserialises a list of objects where an optional field is present, to be shared.
pub(crate) fn present_objects<'de, D, T>(deserializer: D) -> Result<Option<Arc<[T]>>, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de>,
{
    let objects = present_object_list(deserializer)?;
    Ok(objects.map(Arc::from))
}

/// Deserialises a list of objects where an optional field is present.
pub(crate) fn present_object_list<'de, D, T>(deserializer: D) -> Result<Option<Vec<T>>, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de>,
{
    let objects = Vec::<Object<T>>::deserialize(deserializer)?;
    let objects = objects.into_iter().map(|Object(object)| object);
    Ok(Some(objects.collect()))
}
