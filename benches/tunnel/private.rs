//! The private side: a server that takes, gives or echoes, as the first bytes of a connection say.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

const BUFFER: usize = 64 * 1024;

const TAKE: u8 = b't';
const GIVE: u8 = b'g';
const ECHO: u8 = b'e';

/// Starts the server; it ends with the runtime.
pub async fn serve() -> io::Result<SocketAddr> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
    let address = listener.local_addr()?;
    tokio::spawn(async move {
        let mut connections = JoinSet::new();
        while let Ok((socket, _)) = listener.accept().await {
            connections.spawn(attend(socket));
        }
    });
    Ok(address)
}

async fn attend(mut socket: TcpStream) -> io::Result<()> {
    socket.set_nodelay(true)?;
    let wish = socket.read_u8().await?;
    let count = socket.read_u64().await?;
    match wish {
        TAKE => {
            drain(&mut socket, count).await?;
            socket.write_u8(1).await?;
        }
        GIVE => fill(&mut socket, count).await?,
        _ => {
            let (mut read, mut write) = socket.split();
            tokio::io::copy(&mut read, &mut write).await?;
        }
    }
    // The client closes first.
    let _ = socket.read_u8().await;
    Ok(())
}

/// Sends `count` bytes and waits until the private side has them all.
pub async fn upload(socket: &mut TcpStream, count: u64) -> io::Result<()> {
    wish(socket, TAKE, count).await?;
    fill(socket, count).await?;
    socket.read_u8().await.map(drop)
}

/// Receives `count` bytes.
pub async fn download(socket: &mut TcpStream, count: u64) -> io::Result<()> {
    ask(socket, count).await?;
    drain(socket, count).await
}

/// From now on the private side sends `count` bytes.
pub async fn ask(socket: &mut TcpStream, count: u64) -> io::Result<()> {
    wish(socket, GIVE, count).await
}

/// From now on the private side sends back what it gets.
pub async fn echo(socket: &mut TcpStream) -> io::Result<()> {
    wish(socket, ECHO, 0).await
}

async fn wish(socket: &mut TcpStream, wish: u8, count: u64) -> io::Result<()> {
    socket.set_nodelay(true)?;
    let mut words = [0; 9];
    words[0] = wish;
    words[1..].copy_from_slice(&count.to_be_bytes());
    socket.write_all(&words).await
}

async fn fill(socket: &mut TcpStream, mut count: u64) -> io::Result<()> {
    let buffer = vec![0x5a; BUFFER];
    while count > 0 {
        let part = count.min(BUFFER as u64);
        socket.write_all(&buffer[..part as usize]).await?;
        count -= part;
    }
    Ok(())
}

async fn drain(socket: &mut TcpStream, mut count: u64) -> io::Result<()> {
    let mut buffer = vec![0; BUFFER];
    while count > 0 {
        match socket.read(&mut buffer).await? {
            0 => return Err(io::ErrorKind::UnexpectedEof.into()),
            read => count -= read as u64,
        }
    }
    Ok(())
}
