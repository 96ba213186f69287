//! Where a chunked body ends. At least as strict as hyper, which reads it: what passes here has
//! the same end there.

/// How many digits the size of a chunk may have.
const MAX_DIGITS: u8 = 15;
/// How many bytes of a body may be in its extensions and trailers.
const MAX_EXTRAS: u32 = 8 * 1024;

/// How far a chunked body has been read.
#[derive(Debug)]
pub(super) struct Chunks {
    at: At,
    extras: u32,
}

/// What comes next.
#[derive(Clone, Copy, Debug)]
enum At {
    /// Digits of the size of a chunk, after so many of them.
    Size {
        digits: u8,
        size: u64,
    },
    /// The rest of the line with the size.
    Extension(u64),
    /// The line feed after the size.
    SizeEnd(u64),
    /// So many bytes of data.
    Data(u64),
    /// What follows the data.
    DataEnd(u8),
    /// A line after the last chunk, from its start.
    Trailer,
    /// The rest of such a line, then its line feed.
    TrailerLine,
    TrailerEnd,
    /// The last line feed.
    End,
}

/// A body that is not chunked as it should be.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Broken;

impl Chunks {
    pub(super) fn new() -> Self {
        Self {
            at: SIZE,
            extras: 0,
        }
    }

    /// How many of `bytes` belong to the body, and whether it ends with them.
    pub(super) fn pass(&mut self, bytes: &[u8]) -> Result<(usize, bool), Broken> {
        let mut passed = 0;
        while let Some(byte) = bytes.get(passed) {
            if let At::Data(left) = self.at {
                let here = (bytes.len() - passed) as u64;
                let taken = left.min(here);
                passed += usize::try_from(taken).unwrap_or(usize::MAX);
                self.at = match left - taken {
                    0 => At::DataEnd(b'\r'),
                    left => At::Data(left),
                };
                continue;
            }
            passed += 1;
            if let At::End = self.at {
                return match byte {
                    b'\n' => Ok((passed, true)),
                    _ => Err(Broken),
                };
            }
            self.at = self.after(*byte)?;
        }
        Ok((passed, false))
    }

    /// What comes next after a byte that is no data.
    fn after(&mut self, byte: u8) -> Result<At, Broken> {
        if matches!(self.at, At::Extension(_) | At::Trailer | At::TrailerLine) {
            self.extras += 1;
            if self.extras > MAX_EXTRAS {
                return Err(Broken);
            }
        }
        match (self.at, byte) {
            (At::Size { digits, size }, byte) if byte.is_ascii_hexdigit() => {
                if digits == MAX_DIGITS {
                    return Err(Broken);
                }
                let digit = char::from(byte).to_digit(16).map_or(0, u64::from);
                let (digits, size) = (digits + 1, size << 4 | digit);
                Ok(At::Size { digits, size })
            }
            (At::Size { digits: 1.., size } | At::Extension(size), b'\r') => Ok(At::SizeEnd(size)),
            (At::Size { digits: 1.., size }, b';' | b' ' | b'\t') => Ok(At::Extension(size)),
            (At::Extension(size), byte) if byte != b'\n' => Ok(At::Extension(size)),
            (At::SizeEnd(0) | At::TrailerEnd, b'\n') => Ok(At::Trailer),
            (At::SizeEnd(size), b'\n') => Ok(At::Data(size)),
            (At::DataEnd(b'\r'), b'\r') => Ok(At::DataEnd(b'\n')),
            (At::DataEnd(b'\n'), b'\n') => Ok(SIZE),
            (At::Trailer, b'\r') => Ok(At::End),
            (At::TrailerLine, b'\r') => Ok(At::TrailerEnd),
            (At::Trailer | At::TrailerLine, byte) if byte != b'\n' => Ok(At::TrailerLine),
            _ => Err(Broken),
        }
    }
}

const SIZE: At = At::Size { digits: 0, size: 0 };

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_body_ends_where_it_says_however_it_is_cut() {
        let whole = b"4;a=b\r\nab\r\n\r\nF  \r\n0123456789abcde\r\n0\r\nX: 1\r\nY: 2\r\n\r\nGET /";
        let end = whole.len() - 5;
        for cut in 0..end {
            let mut chunks = Chunks::new();
            assert_eq!(chunks.pass(&whole[..cut]), Ok((cut, false)), "{cut}");
            let rest = chunks.pass(&whole[cut..]);
            assert_eq!(rest, Ok((end - cut, true)), "{cut}");
        }
    }

    #[test]
    fn what_another_reader_may_see_otherwise_is_refused() {
        for bad in [
            "ZZ\r\n",
            "\r\n",
            ";a\r\n",
            "12345678901234567\r\n",
            "1\nx\r\n",
            "1;\nx\r\n",
            "1\r\nxy",
            "1\r\nx\n0\r\n",
            "0\r\n\n",
            "0\r\nX: 1\n",
            "0\r\n\rX",
        ] {
            assert_eq!(Chunks::new().pass(bad.as_bytes()), Err(Broken), "{bad:?}");
        }
        let extension = format!("1;{}\r\n", "a".repeat(20_000));
        assert_eq!(Chunks::new().pass(extension.as_bytes()), Err(Broken));
    }
}
