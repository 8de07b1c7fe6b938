//! A connection: takes frames apart into streams, and sends what is written to them.

use std::{collections::HashMap, io};

use tokio::{
    io::{
        AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, DuplexStream, ReadHalf, WriteHalf, duplex, split,
    },
    sync::mpsc,
};

use super::{
    SpdyError,
    frame::{self, FIN, Frame},
    headers::{Headers, Packer, Unpacker},
};

/// How much of a stream is kept until it is read.
const STREAM: usize = 128 * 1024;

/// How many streams can be open at a time.
const STREAMS: usize = 512;

/// How many frames wait to be sent until those who write have to wait.
const WAITING: usize = 16;

/// The most that goes into one frame of data.
const PIECE: usize = 32 * 1024;

/// A stream that a client has opened.
pub(in super::super) struct Stream {
    /// What the client said about it, names in lower case.
    pub(in super::super) headers: Headers,
    /// What the client sends.
    pub(in super::super) input: DuplexStream,
    /// To the client.
    pub(in super::super) output: Writer,
}

impl Stream {
    /// A header, empty when there is none.
    pub(in super::super) fn header(&self, name: &str) -> &str {
        let found = self.headers.iter().find(|(n, _)| n.eq_ignore_ascii_case(name));
        found.map_or("", |(_, value)| value.as_str())
    }
}

/// Writes to a stream.
#[derive(Clone, Debug)]
pub(in super::super) struct Writer {
    id: u32,
    frames: mpsc::Sender<Vec<u8>>,
}

impl Writer {
    async fn send(&self, frame: Vec<u8>) -> io::Result<()> {
        self.frames.send(frame).await.map_err(|_| io::ErrorKind::BrokenPipe.into())
    }

    /// Sends bytes.
    pub(in super::super) async fn write(&self, bytes: &[u8]) -> io::Result<()> {
        for piece in bytes.chunks(PIECE) {
            self.send(frame::data(self.id, 0, piece)).await?;
        }
        Ok(())
    }

    /// Nothing more will come from here.
    pub(in super::super) async fn finish(&self) -> io::Result<()> {
        self.send(frame::data(self.id, FIN, b"")).await
    }

    /// Sends everything from a pipe, and then that it is the end.
    pub(in super::super) async fn copy(&self, mut from: impl AsyncRead + Unpin) -> io::Result<()> {
        let mut buffer = vec![0; PIECE];
        loop {
            match from.read(&mut buffer).await? {
                0 => return self.finish().await,
                n => self.write(&buffer[..n]).await?,
            }
        }
    }
}

/// A connection.
pub(in super::super) struct Connection<Io> {
    reader: ReadHalf<Io>,
    writer: WriteHalf<Io>,
    frames: (mpsc::Sender<Vec<u8>>, mpsc::Receiver<Vec<u8>>),
    opened: mpsc::Sender<Stream>,
}

impl<Io: AsyncRead + AsyncWrite + Send> Connection<Io> {
    /// A connection, and the streams that the client will open once it runs.
    pub(in super::super) fn new(io: Io) -> (Self, mpsc::Receiver<Stream>) {
        let (reader, writer) = split(io);
        let (opened, streams) = mpsc::channel(4);
        (Self { reader, writer, frames: mpsc::channel(WAITING), opened }, streams)
    }

    /// Runs it until the client leaves, or until everybody who could write has been dropped after `work` was
    /// done; then says goodbye.
    pub(in super::super) async fn run(self, work: impl Future<Output = ()>) -> Result<(), SpdyError> {
        let Self { reader, mut writer, frames: (sender, mut frames), opened } = self;
        let mut demux = Demux { reader, frames: sender, opened, streams: HashMap::new(), last: 0 };
        let writing = async {
            while let Some(frame) = frames.recv().await {
                writer.write_all(&frame).await?;
                if frames.is_empty() {
                    writer.flush().await?;
                }
            }
            Ok::<(), SpdyError>(())
        };
        let reading = async {
            tokio::select! {
                ended = demux.run() => ended,
                () = work => Ok(()),
            }
        };
        let mut left = {
            tokio::pin!(reading, writing);
            tokio::select! {
                ended = &mut reading => ended,
                ended = &mut writing => ended,
            }
        };
        // What was written before the end still goes out.
        let goodbye = demux.last;
        drop(demux);
        while let Ok(frame) = frames.try_recv() {
            if left.is_ok() {
                left = writer.write_all(&frame).await.map_err(SpdyError::from);
            }
        }
        if left.is_ok() {
            writer.write_all(&frame::go_away(goodbye)).await?;
            writer.shutdown().await?;
        }
        left
    }
}

/// Takes frames apart.
struct Demux<Io> {
    reader: ReadHalf<Io>,
    frames: mpsc::Sender<Vec<u8>>,
    opened: mpsc::Sender<Stream>,
    /// Where the data of streams goes, until they are finished.
    streams: HashMap<u32, DuplexStream>,
    /// The latest stream.
    last: u32,
}

impl<Io: AsyncRead> Demux<Io> {
    async fn run(&mut self) -> Result<(), SpdyError> {
        let (mut unpacker, mut packer) = (Unpacker::new(), Packer::new()?);
        while let Some(frame) = frame::read(&mut self.reader).await? {
            match frame {
                Frame::SynStream { id, flags, block } => {
                    let headers = unpacker.unpack(&block)?;
                    self.open(id, flags, headers, &mut packer).await?;
                }
                Frame::Headers { block } => drop(unpacker.unpack(&block)?),
                Frame::Reset { id } => drop(self.streams.remove(&id)),
                // Odd numbers are the client's; an even one would be an answer to a ping of ours.
                Frame::Ping { id } if id % 2 == 1 => self.send(frame::pong(id)).await?,
                Frame::Data { id, flags, length } => self.data(id, flags, length).await?,
                Frame::Ping { .. } | Frame::GoAway | Frame::Other => {}
            }
        }
        Ok(())
    }

    async fn send(&mut self, frame: Vec<u8>) -> Result<(), SpdyError> {
        self.frames.send(frame).await.map_err(|_| io::Error::from(io::ErrorKind::BrokenPipe).into())
    }

    async fn open(
        &mut self,
        id: u32,
        flags: u8,
        headers: Headers,
        packer: &mut Packer,
    ) -> Result<(), SpdyError> {
        if id <= self.last || id.is_multiple_of(2) {
            return Err(SpdyError::Number);
        }
        self.last = id;
        self.streams.retain(|_, pipe| !is_gone(pipe));
        if self.streams.len() >= STREAMS {
            return self.send(frame::reset(id, frame::REFUSED)).await;
        }
        let (far, near) = duplex(STREAM);
        if flags & FIN == 0 {
            self.streams.insert(id, near);
        }
        self.send(frame::reply(id, &packer.pack(&[])?)).await?;
        let output = Writer { id, frames: self.frames.clone() };
        let _nobody_wants_more = self.opened.send(Stream { headers, input: far, output }).await;
        Ok(())
    }

    async fn data(&mut self, id: u32, flags: u8, length: usize) -> Result<(), SpdyError> {
        let mut buffer = vec![0; length.min(PIECE)];
        let mut left = length;
        while left > 0 {
            let piece = left.min(PIECE);
            self.reader.read_exact(&mut buffer[..piece]).await?;
            left -= piece;
            // A stream that nobody reads any more takes nothing; the rest of the frame has to be read anyway.
            if let Some(pipe) = self.streams.get_mut(&id)
                && pipe.write_all(&buffer[..piece]).await.is_err()
            {
                self.streams.remove(&id);
            }
        }
        if flags & FIN != 0 {
            self.streams.remove(&id);
        }
        Ok(())
    }
}

/// Whether nobody reads from a pipe any more.
fn is_gone(pipe: &mut DuplexStream) -> bool {
    use futures::FutureExt;
    matches!(pipe.write(b"").now_or_never(), Some(Err(_)))
}

#[cfg(test)]
mod tests {
    use super::{super::frame::tests::syn_stream, *};

    async fn connected()
    -> (DuplexStream, mpsc::Receiver<Stream>, tokio::task::JoinHandle<Result<(), SpdyError>>) {
        let (client, server) = duplex(1 << 20);
        let (connection, streams) = Connection::new(server);
        (client, streams, tokio::spawn(connection.run(std::future::pending())))
    }

    #[tokio::test]
    async fn streams_carry_bytes_both_ways_and_end_each_way() {
        let (mut client, mut streams, running) = connected().await;
        let mut packer = Packer::new().unwrap();
        client.write_all(&syn_stream(1, &packer.pack(&[("streamtype", "stdin")]).unwrap())).await.unwrap();
        client.write_all(&frame::data(1, 0, b"hello ")).await.unwrap();
        client.write_all(&frame::data(1, FIN, b"world")).await.unwrap();
        let mut stream = streams.recv().await.unwrap();
        assert_eq!(stream.header("streamType"), "stdin");
        let mut all = String::new();
        stream.input.read_to_string(&mut all).await.unwrap();
        assert_eq!(all, "hello world");
        stream.output.copy(&b"back"[..]).await.unwrap();
        assert!(matches!(frame::read(&mut client).await, Ok(Some(Frame::Headers { .. }))));
        let head = frame::read(&mut client).await.unwrap();
        assert_eq!(head, Some(Frame::Data { id: 1, flags: 0, length: 4 }));
        let mut back = [0; 4];
        client.read_exact(&mut back).await.unwrap();
        assert_eq!(&back, b"back");
        assert_eq!(
            frame::read(&mut client).await.unwrap(),
            Some(Frame::Data { id: 1, flags: FIN, length: 0 })
        );
        client.write_all(&frame::pong(3)).await.unwrap();
        assert_eq!(frame::read(&mut client).await.unwrap(), Some(Frame::Ping { id: 3 }));
        client.shutdown().await.unwrap();
        drop(client);
        assert!(running.await.unwrap().is_ok() || streams.recv().await.is_none());
    }

    #[tokio::test]
    async fn too_many_streams_are_refused_one_by_one() {
        let (mut client, mut streams, _running) = connected().await;
        let mut packer = Packer::new().unwrap();
        let mut kept = Vec::new();
        for n in 0..=u32::try_from(STREAMS).unwrap() {
            client.write_all(&syn_stream(2 * n + 1, &packer.pack(&[]).unwrap())).await.unwrap();
            match frame::read(&mut client).await.unwrap().unwrap() {
                Frame::Headers { .. } => kept.push(streams.recv().await.unwrap()),
                Frame::Reset { id } => assert_eq!((id, kept.len()), (2 * n + 1, STREAMS)),
                other => panic!("{other:?}"),
            }
        }
        assert_eq!(kept.len(), STREAMS);
        kept.clear();
        client.write_all(&syn_stream(9999, &packer.pack(&[]).unwrap())).await.unwrap();
        assert!(matches!(frame::read(&mut client).await, Ok(Some(Frame::Headers { .. }))));
    }

    #[tokio::test]
    async fn hostile_frames_end_the_connection_and_nothing_else() {
        let block = Packer::new().unwrap().pack(&[]).unwrap();
        let hostile: [Vec<u8>; 6] = [
            syn_stream(2, &block),
            syn_stream(1, b"rubbish"),
            [syn_stream(3, &block), syn_stream(1, &block)].concat(),
            vec![0xff; 64],
            b"GET / HTTP/1.1\r\n\r\n".repeat(3),
            frame::data(77, 0, &[0; 100]),
        ];
        for bytes in hostile {
            let (mut client, _streams, running) = connected().await;
            client.write_all(&bytes).await.unwrap();
            drop(client);
            let _ended = running.await.unwrap();
        }
    }
}
