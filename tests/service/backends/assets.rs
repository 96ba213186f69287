//! What every store of assets promises; each case begins with one that has nothing.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use futures_util::future::join_all;
use rapier_physics_service::{
    assets::{AssetFile, AssetStore, Format, name_of},
    physics::AssetId,
};

use crate::{
    backends::asked::{BRIEF, SOON, TTL},
    harness::eventually_true,
};

fn file(format: Format, length: usize) -> (AssetId, AssetFile) {
    let bytes: Vec<u8> = (0..=u8::MAX).cycle().take(length).collect();
    let bytes = Bytes::from(bytes);
    (name_of(&bytes), AssetFile { format, bytes })
}

async fn put(
    store: &Arc<dyn AssetStore>,
    (id, file): &(AssetId, AssetFile),
    ttl: Duration,
) -> bool {
    let known = store.put(id, file.clone(), ttl).await.unwrap();
    known.is_none()
}

pub(crate) async fn a_file_is_read_as_it_was_put_however_large(store: Arc<dyn AssetStore>) {
    let files = [
        file(Format::Stl, 1),
        file(Format::Obj, (1 << 20) - 1),
        file(Format::Glb, 1 << 20),
        file(Format::Json, (5 << 20) + 7),
    ];
    for one in &files {
        assert!(put(&store, one, TTL).await, "{:?}", one.1.format);
    }
    for (id, file) in &files {
        assert_eq!(store.get(id).await.unwrap().as_ref(), Some(file));
    }
}

pub(crate) async fn a_file_is_new_once(store: Arc<dyn AssetStore>) {
    let one = file(Format::Stl, 3 << 20);

    let at_once = join_all((0..8).map(|_| put(&store, &one, TTL))).await;
    let again = put(&store, &one, TTL).await;
    let otherwise = AssetFile {
        format: Format::Obj,
        ..one.1.clone()
    };
    let kept_as = store.put(&one.0, otherwise, TTL).await.unwrap();

    assert_eq!(at_once.iter().filter(|is_new| **is_new).count(), 1);
    assert!(!again);
    assert_eq!(kept_as, Some(Format::Stl));
}

pub(crate) async fn a_file_is_there_until_its_time_is_over(store: Arc<dyn AssetStore>) {
    let (brief, kept, put_again) = (
        file(Format::Stl, 10),
        file(Format::Obj, 11),
        file(Format::Glb, 12),
    );
    for one in [&brief, &kept, &put_again] {
        put(&store, one, BRIEF).await;
    }
    // Once longer and once shorter: the longer time counts.
    let format = Some(Format::Obj);
    assert_eq!(store.keep(&kept.0, TTL).await.unwrap(), format);
    assert_eq!(store.keep(&kept.0, BRIEF).await.unwrap(), format);
    put(&store, &put_again, TTL).await;
    put(&store, &put_again, BRIEF).await;

    eventually_true(SOON, "the file is gone", Option::is_none, async || {
        store.get(&brief.0).await.unwrap()
    })
    .await;
    assert_eq!(store.keep(&brief.0, TTL).await.unwrap(), None);
    assert_eq!(store.get(&kept.0).await.unwrap(), Some(kept.1));
    assert_eq!(store.get(&put_again.0).await.unwrap(), Some(put_again.1));
}

pub(crate) async fn what_was_never_put_is_not_there(store: Arc<dyn AssetStore>) {
    let (id, _) = file(Format::Stl, 10);
    assert_eq!(store.get(&id).await.unwrap(), None);
    assert_eq!(store.keep(&id, TTL).await.unwrap(), None);
}
