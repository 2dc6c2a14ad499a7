use std::time::Duration;

use wasmtime::component::{Resource, ResourceTable, ResourceTableError};

use crate::host::bindings::portscan::plugin::connection::{
    Datagram, Host, HostConnection, IoError, TlsOptions, TlsSession,
};
use crate::host::bindings::portscan::plugin::types::Transport;
use crate::host::convert;
use crate::host::fault::Breach;
use crate::host::limits::MAX_HANDLES;
use crate::host::line::Line;
use crate::host::record::Event;
use crate::host::state::CheckState;

/// What a guest's `connection` handle stands for.
pub struct Handle {
    line: Line,
    /// Bytes sent on this connection.
    sent: u64,
}

impl Handle {
    pub(in crate::host) fn new(line: Line) -> Handle {
        Handle { line, sent: 0 }
    }
}

/// What a host function returns: the guest's result, or the end of the guest.
type Answer<T> = wasmtime::Result<Result<T, IoError>>;

/// `connection`: bytes to and from the one endpoint under check.
///
/// Calls that wait end at the check's deadline with `timed-out`, so that the
/// guest can conclude from what it has.
impl HostConnection for CheckState {
    fn transport(&mut self, connection: Resource<Handle>) -> wasmtime::Result<Transport> {
        self.budget.call()?;
        let handle = handle(&mut self.table, &connection)?;
        Ok(convert::transport(handle.line.transport()))
    }

    async fn send(&mut self, connection: Resource<Handle>, data: Vec<u8>) -> Answer<()> {
        self.budget.call()?;
        let wait = self.remaining();
        let handle = handle(&mut self.table, &connection)?;
        let transport = handle.line.transport();
        if let Err(limit) = self.budget.send(data.len(), handle.sent, transport)? {
            return Ok(Err(IoError::OverBudget(limit)));
        }
        handle.sent += data.len() as u64;
        let sent = handle.line.send(&data, wait).await;
        self.record(|| Event::Sent(data));
        Ok(sent.map_err(convert::io_error))
    }

    async fn receive(
        &mut self,
        connection: Resource<Handle>,
        max: u32,
        wait: u32,
    ) -> Answer<Vec<u8>> {
        self.budget.call()?;
        let wait = self.clamp(wait);
        let left = match self.budget.may_receive() {
            Ok(left) => left,
            Err(limit) => return Ok(Err(IoError::OverBudget(limit))),
        };
        let handle = handle(&mut self.table, &connection)?;
        let received = handle.line.receive(left.min(max as usize), wait).await;
        self.budget.receive(received.as_ref().map_or(0, Vec::len));
        self.record(|| Event::received(&received));
        Ok(received.map_err(convert::io_error))
    }

    async fn receive_from(
        &mut self,
        connection: Resource<Handle>,
        max: u32,
        wait: u32,
    ) -> Answer<Datagram> {
        self.budget.call()?;
        let wait = self.clamp(wait);
        let left = match self.budget.may_receive() {
            Ok(left) => left,
            Err(limit) => return Ok(Err(IoError::OverBudget(limit))),
        };
        let handle = handle(&mut self.table, &connection)?;
        let received = handle.line.receive_from(left.min(max as usize), wait).await;
        self.budget.receive(received.as_ref().map_or(0, |datagram| datagram.bytes.len()));
        self.record(|| Event::received(&received.clone().map(|datagram| datagram.bytes)));
        Ok(received
            .map(|datagram| Datagram { data: datagram.bytes, port: datagram.port })
            .map_err(convert::io_error))
    }

    async fn finish(&mut self, connection: Resource<Handle>) -> Answer<()> {
        self.budget.call()?;
        let wait = self.remaining();
        let handle = handle(&mut self.table, &connection)?;
        let finished = handle.line.finish(wait).await;
        self.record(|| Event::Finished);
        Ok(finished.map_err(convert::io_error))
    }

    async fn start_tls(
        &mut self,
        connection: Resource<Handle>,
        options: TlsOptions,
    ) -> Answer<TlsSession> {
        self.budget.call()?;
        let wait = self.remaining();
        let handle = handle(&mut self.table, &connection)?;
        let options = convert::tls_options(options);
        let session = handle.line.start_tls(options.clone(), wait).await;
        self.record(|| Event::Tls(options, session.clone()));
        Ok(session.map(convert::tls_session).map_err(convert::io_error))
    }

    async fn reconnect(&mut self, connection: Resource<Handle>) -> Answer<Resource<Handle>> {
        self.budget.call()?;
        let wait = self.remaining();
        if let Err(limit) = self.budget.connect()? {
            return Ok(Err(IoError::OverBudget(limit)));
        }
        let line = handle(&mut self.table, &connection)?.line.reconnect(wait).await;
        self.record(|| Event::Reconnected);
        match line {
            Ok(line) => Ok(Ok(self.table.push(Handle::new(line)).map_err(breach)?)),
            Err(error) => Ok(Err(convert::io_error(error))),
        }
    }

    fn local_port(&mut self, connection: Resource<Handle>) -> wasmtime::Result<u16> {
        self.budget.call()?;
        let port = handle(&mut self.table, &connection)?.line.local_port();
        self.record(|| Event::LocalPort(port));
        Ok(port)
    }

    async fn drop(&mut self, connection: Resource<Handle>) -> wasmtime::Result<()> {
        self.budget.call()?;
        self.table.delete(connection).map_err(breach)?;
        Ok(())
    }
}

impl Host for CheckState {}

impl CheckState {
    /// What the guest wants to wait, and no longer than the check lasts.
    fn clamp(&self, wait: u32) -> Duration {
        Duration::from_millis(u64::from(wait)).min(self.remaining())
    }
}

fn handle<'a>(
    table: &'a mut ResourceTable,
    connection: &Resource<Handle>,
) -> wasmtime::Result<&'a mut Handle> {
    Ok(table.get_mut(connection).map_err(breach)?)
}

fn breach(error: ResourceTableError) -> Breach {
    match error {
        ResourceTableError::Full => Breach::Budget { what: "handles", cap: MAX_HANDLES as u64 },
        ResourceTableError::NotPresent
        | ResourceTableError::WrongType
        | ResourceTableError::HasChildren => Breach::Handle,
    }
}
