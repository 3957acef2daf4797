// Bad weather between the portal and a real cloud: a proxy in front of all its services. The port of
// the service is the first part of the path, and every address that an answer names leads through
// the proxy again, so that the catalogue of a token does.
import { createServer, request as ask, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

/** What may happen to one request. */
export type Fault =
  | 'pass'
  /** The line is cut before the service hears of it. */
  | 'drop'
  /** The service does it, and the answer is lost. */
  | 'lose'
  /** The service does it, and the answer breaks off in its middle. */
  | 'half'
  /** The answer comes seconds later. */
  | 'slow'
  /** The service does it, and the line stands open without an answer for as long as the caller waits. */
  | 'hang'
  /** The service is overloaded. */
  | 'storm'
  /** It is broken. */
  | 'error'
  /** The token is said to have ended. */
  | 'expired'
  /** The service does it, and a page of somebody's gateway answers. */
  | 'garbage'
  /** The service does it, and what comes back is JSON without what was asked for. */
  | 'wrong';

const SLOW_MS = 3_000;

export class Proxy {
  /** Decides over each request; `pass` until a test says otherwise. */
  weather: (method: string, path: string) => Fault = () => 'pass';
  /** How often each fault came over a request. */
  readonly seen: Partial<Record<Fault, number>> = {};
  /** A cloud lists no more than so many things at once (`osapi_max_limit`); 0 leaves it to the cloud. */
  most = 0;
  /** The lists that were read on from where their last page ended, and how often. */
  readonly readOn: Record<string, number> = {};

  private constructor(private readonly server: Server) {}

  static async open(): Promise<Proxy> {
    const server = createServer();
    const proxy = new Proxy(server);
    server.on('request', (request, response) => void proxy.handle(request, response));
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    return proxy;
  }

  /** An address of the cloud, through the proxy. */
  through(url: string): string {
    return url.replace(/http:\/\/127\.0\.0\.1:(\d+)/g, `http://127.0.0.1:${this.port}/$1`);
  }

  async close(): Promise<void> {
    this.server.closeAllConnections();
    await new Promise<void>((resolve) => this.server.close(() => resolve()));
  }

  private get port(): number {
    return (this.server.address() as AddressInfo).port;
  }

  private async handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const parts = /^\/(\d+)(\/.*)?$/.exec(request.url ?? '');
    if (!parts) return void response.writeHead(404).end();
    const [port, asked] = [Number(parts[1]), parts[2] ?? '/'];
    const fault = this.weather(request.method ?? 'GET', asked);
    this.seen[fault] = (this.seen[fault] ?? 0) + 1;
    const [list = ''] = asked.split('?');
    if (/[?&]marker=/.test(asked)) this.readOn[list] = (this.readOn[list] ?? 0) + 1;
    const path = this.most ? asked.replace(/([?&]limit=)(\d+)/, (_, limit, n) => `${limit}${Math.min(Number(n), this.most)}`) : asked;
    try {
      const sent = await whole(request);
      if (fault === 'drop') return void request.socket.destroy();
      if (fault === 'storm') return void response.writeHead(503, { 'retry-after': '1' }).end('{}');
      if (fault === 'error') return void response.writeHead(500, { 'content-type': 'application/json' }).end('{"computeFault": {"code": 500, "message": "Unexpected API Error"}}');
      if (fault === 'expired') return void response.writeHead(401, { 'content-type': 'application/json' }).end('{"error": {"code": 401, "message": "The request you have made requires authentication."}}');
      // Whatever becomes of it: nobody is told.
      if (fault === 'hang') return void (await forward(port, path, request, sent).catch(() => {}));
      const answer = await forward(port, path, request, sent);
      if (fault === 'lose') return void request.socket.destroy();
      if (fault === 'wrong') return void response.writeHead(200, { 'content-type': 'application/json' }).end('{"links": []}');
      if (fault === 'garbage') return void response.writeHead(200, { 'content-type': 'text/html' }).end('<html><body>Gateway</body></html>');
      if (fault === 'slow') await new Promise((resolve) => setTimeout(resolve, SLOW_MS));
      const body = Buffer.from(this.through(answer.body.toString('utf8')));
      const headers = { ...answer.headers };
      delete headers['transfer-encoding'];
      headers['content-length'] = String(body.length);
      if (typeof headers.location === 'string') headers.location = this.through(headers.location);
      response.writeHead(answer.status, headers);
      if (fault === 'half' && body.length > 1) {
        response.write(body.subarray(0, body.length / 2), () => request.socket.destroy());
        return;
      }
      // A body of 204 or 304 would belong to the next answer on this line.
      if (answer.status === 204 || answer.status === 304) response.end();
      else response.end(body);
    } catch {
      request.socket.destroy();
    }
  }
}

interface Answer {
  status: number;
  headers: Record<string, string | string[] | undefined>;
  body: Buffer;
}

async function whole(stream: IncomingMessage): Promise<Buffer> {
  const parts: Buffer[] = [];
  for await (const part of stream) parts.push(part as Buffer);
  return Buffer.concat(parts);
}

function forward(port: number, path: string, request: IncomingMessage, body: Buffer): Promise<Answer> {
  return new Promise((resolve, reject) => {
    // Answers as they are: nothing is compressed that must be rewritten.
    const headers = { ...request.headers, host: `127.0.0.1:${port}`, 'accept-encoding': 'identity' };
    delete headers.connection;
    const on = ask({ host: '127.0.0.1', port, path, method: request.method, headers }, (answer) => {
      whole(answer).then((read) => resolve({ status: answer.statusCode ?? 502, headers: answer.headers, body: read }), reject);
    });
    on.on('error', reject);
    on.end(body);
  });
}
