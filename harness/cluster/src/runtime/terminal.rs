//! What a terminal does between a person and a program: echo, line editing, ^C and ^D, and line ends.

use std::{
    io,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use bytes::{Buf, Bytes};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, ReadBuf},
    sync::{Notify, mpsc},
};

use super::process::Sink;
use crate::streams::Input;

/// How many pieces of input can wait for a program to read them.
const WAITING: usize = 64;

/// The longest line.
const LINE: usize = 4096;

/// Where a program's input is put in.
pub(super) type Feeder = mpsc::Sender<Bytes>;

/// A program's input. An empty piece is an end that is not for ever: ^D at a terminal.
pub(super) struct Feed {
    pieces: mpsc::Receiver<Bytes>,
    rest: Bytes,
}

/// A new input.
pub(super) fn feed() -> (Feeder, Feed) {
    let (feeder, pieces) = mpsc::channel(WAITING);
    (feeder, Feed { pieces, rest: Bytes::new() })
}

impl AsyncRead for Feed {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.rest.is_empty() {
            match ready!(self.pieces.poll_recv(cx)) {
                Some(piece) => self.rest = piece,
                None => return Poll::Ready(Ok(())),
            }
        }
        let n = self.rest.len().min(buffer.remaining());
        buffer.put_slice(&self.rest[..n]);
        self.rest.advance(n);
        Poll::Ready(Ok(()))
    }
}

/// Hands input on as it is.
pub(super) async fn raw(mut input: Input, feeder: &Feeder) {
    let mut buffer = vec![0; 16 * 1024];
    while let Ok(n @ 1..) = input.read(&mut buffer).await {
        if feeder.send(Bytes::copy_from_slice(&buffer[..n])).await.is_err() {
            return;
        }
    }
}

/// Hands input on line by line, as typed at a terminal, until it ends.
pub(super) async fn cooked(mut input: Input, echo: &Sink, feeder: &Feeder, interrupt: &Arc<Notify>) {
    let mut buffer = [0; 1024];
    let mut editor = Editor::default();
    while let Ok(n @ 1..) = input.read(&mut buffer).await {
        for byte in &buffer[..n] {
            let typed = editor.type_in(*byte);
            if !typed.echo.is_empty() {
                let _nobody_looks = echo.write(&typed.echo).await;
            }
            if typed.interrupt {
                interrupt.notify_waiters();
            }
            if let Some(line) = typed.line {
                // A program that does not read loses what is typed meanwhile, as a terminal's buffer is small.
                let _full = feeder.try_send(line);
            }
        }
    }
}

/// The line that is being typed.
#[derive(Default)]
struct Editor {
    line: Vec<u8>,
    /// How far an escape sequence has come.
    escape: u8,
}

/// What a key does.
#[derive(Default)]
struct Typed {
    echo: Vec<u8>,
    line: Option<Bytes>,
    interrupt: bool,
}

impl Editor {
    fn type_in(&mut self, byte: u8) -> Typed {
        let mut typed = Typed::default();
        match (self.escape, byte) {
            (1, b'[' | b'O') => self.escape = 2,
            (1, _) => self.escape = 0,
            (2, b'0'..=b'9' | b';') => {}
            (2, _) => self.escape = 0,
            (_, 0x1b) => self.escape = 1,
            (_, 0x03) => {
                self.line.clear();
                typed.echo.extend(b"^C\n");
                typed.interrupt = true;
            }
            (_, 0x04) => typed.line = Some(std::mem::take(&mut self.line).into()),
            (_, 0x7f | 0x08) => {
                // A character of several bytes goes as a whole.
                while self.line.last().is_some_and(|b| b & 0xc0 == 0x80) {
                    self.line.pop();
                }
                if self.line.pop().is_some() {
                    typed.echo.extend(b"\x08 \x08");
                }
            }
            (_, 0x15) => {
                let erased = String::from_utf8_lossy(&self.line).chars().count();
                self.line.clear();
                typed.echo = b"\x08 \x08".repeat(erased);
            }
            (_, b'\r' | b'\n') => {
                self.line.push(b'\n');
                typed.echo.push(b'\n');
                typed.line = Some(std::mem::take(&mut self.line).into());
            }
            (_, byte) if self.line.len() < LINE && (byte >= b' ' || byte == b'\t') => {
                self.line.push(byte);
                typed.echo.push(byte);
            }
            _ => {}
        }
        typed
    }
}

/// An output to a terminal, where lines end with carriage return and line feed.
pub(super) struct Newlines<O> {
    inner: O,
    pending: Bytes,
}

impl<O> Newlines<O> {
    pub(super) fn new(inner: O) -> Self {
        Self { inner, pending: Bytes::new() }
    }
}

impl<O: AsyncWrite + Unpin> Newlines<O> {
    fn drain(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while !self.pending.is_empty() {
            let n = ready!(Pin::new(&mut self.inner).poll_write(cx, &self.pending))?;
            if n == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.pending.advance(n);
        }
        Poll::Ready(Ok(()))
    }
}

impl<O: AsyncWrite + Unpin> AsyncWrite for Newlines<O> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        ready!(self.drain(cx))?;
        let taken = &bytes[..bytes.len().min(8192)];
        let mut out = Vec::with_capacity(taken.len() + 16);
        for byte in taken {
            if *byte == b'\n' {
                out.push(b'\r');
            }
            out.push(*byte);
        }
        self.pending = out.into();
        match self.drain(cx) {
            Poll::Ready(Err(error)) => Poll::Ready(Err(error)),
            _ => Poll::Ready(Ok(taken.len())),
        }
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.drain(cx))?;
        Pin::new(&mut self.inner).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.drain(cx))?;
        Pin::new(&mut self.inner).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncWriteExt, duplex};

    use super::*;

    #[test]
    fn lines_are_edited() {
        let mut editor = Editor::default();
        let (mut echo, mut lines, mut interrupts) = (Vec::new(), Vec::new(), 0);
        for byte in b"lx\x7fs\x1b[A \r\x04ab\x15abc\x03x\x04" {
            let typed = editor.type_in(*byte);
            echo.extend(typed.echo);
            lines.extend(typed.line);
            interrupts += i32::from(typed.interrupt);
        }
        assert_eq!(lines, [&b"ls \n"[..], b"", b"x"]);
        assert_eq!(interrupts, 1);
        assert!(echo.starts_with(b"lx\x08 \x08s \n"), "{echo:?}");
        for _ in 0..2 * LINE {
            editor.type_in(b'a');
        }
        assert_eq!(editor.line.len(), LINE);
    }

    #[tokio::test]
    async fn line_ends_are_translated_however_little_fits() {
        let (near, mut far) = duplex(3);
        let mut out = Newlines::new(near);
        let reader = tokio::spawn(async move {
            let mut all = Vec::new();
            far.read_to_end(&mut all).await.map(|_| all)
        });
        out.write_all(b"a\nb\n\nc").await.unwrap();
        out.shutdown().await.unwrap();
        drop(out);
        assert_eq!(reader.await.unwrap().unwrap(), b"a\r\nb\r\n\r\nc");
    }
}
