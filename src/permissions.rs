//! Who may read what Frontdesk keeps on disk: the user that it runs as, and nobody else.

use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use rustix::fs::Mode;

/// From now on the process makes files with mode 0600 and folders with 0700. That holds for the
/// store's and the index's engines, too, which make their files themselves.
pub fn keep_new_files_private() {
    rustix::process::umask(Mode::RWXG | Mode::RWXO);
}

/// What [`mend`] found.
#[derive(Debug, Default)]
pub struct Mended {
    /// Files and folders that others could read or write until now.
    pub changed: usize,
    /// Those that can't be changed, and why.
    pub failed: Vec<(PathBuf, io::Error)>,
}

/// Takes the permissions of group and others from the paths and all that is below them. What
/// doesn't exist is passed over, and so are links: where they lead is somebody else's.
#[must_use]
pub fn mend(paths: &[PathBuf]) -> Mended {
    let mut mended = Mended::default();
    for path in paths {
        // A folder that is itself a link to a volume is meant.
        if let Ok(path) = fs::canonicalize(path) {
            mend_below(&path, &mut mended);
        }
    }
    mended
}

fn mend_below(path: &Path, mended: &mut Mended) {
    let mut fail = |error| mended.failed.push((path.to_owned(), error));
    let metadata = match fs::symlink_metadata(path) {
        Ok(metadata) => metadata,
        // It was removed meanwhile.
        Err(error) if error.kind() == io::ErrorKind::NotFound => return,
        Err(error) => return fail(error),
    };
    if metadata.is_symlink() {
        return;
    }
    let mode = metadata.permissions().mode();
    if mode & 0o077 != 0 {
        match fs::set_permissions(path, fs::Permissions::from_mode(mode & !0o077)) {
            Ok(()) => mended.changed += 1,
            Err(error) => return fail(error),
        }
    }
    if metadata.is_dir() {
        match fs::read_dir(path) {
            Ok(entries) => entries.flatten().for_each(|entry| mend_below(&entry.path(), mended)),
            Err(error) => fail(error),
        }
    }
}

/// Mends what an earlier start, a restore or a copy left open, and says so in the log.
pub fn check(paths: &[PathBuf]) {
    let Mended { changed, failed } = mend(paths);
    if changed > 0 {
        tracing::warn!(
            changed,
            "files and folders of the server that others could read are its user's alone now"
        );
    }
    if let Some((path, error)) = failed.first() {
        let (path, others) = (path.display(), failed.len() - 1);
        tracing::error!(%path, %error, others, "others can read this, and it can't be changed; give it to the server's user");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mode(path: &Path) -> u32 {
        fs::symlink_metadata(path).unwrap().permissions().mode() & 0o777
    }

    #[test]
    fn what_others_could_read_is_closed_and_nothing_else_is_touched() {
        let folder = tempfile::tempdir().unwrap();
        let (store, outside) = (folder.path().join("store"), folder.path().join("outside"));
        fs::create_dir_all(store.join("db")).unwrap();
        for (path, bits) in [
            (store.join("db/open"), 0o666),
            (store.join("db/closed"), 0o400),
            (outside.clone(), 0o644),
        ] {
            fs::write(&path, "x").unwrap();
            fs::set_permissions(&path, fs::Permissions::from_mode(bits)).unwrap();
        }
        for path in [&store, &store.join("db")] {
            fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
        }
        std::os::unix::fs::symlink(&outside, store.join("link")).unwrap();

        let paths = [store.clone(), folder.path().join("missing")];
        let mended = mend(&paths);
        assert_eq!((mended.changed, mended.failed.len()), (3, 0), "{mended:?}");
        let modes =
            [&store, &store.join("db"), &store.join("db/open"), &store.join("db/closed"), &outside]
                .map(|p| mode(p));
        assert_eq!(modes, [0o700, 0o700, 0o600, 0o400, 0o644]);
        assert_eq!(mend(&paths).changed, 0);
    }
}
