/** The worker in which frames are sealed and opened: the browser's events handed to `Pipes`. Its bundle stands inside the client's. */
import { type Piece, type PipeEnds, type PipeNews, type PipeOrder, Pipes } from './pipes.ts';

/** `DedicatedWorkerGlobalScope` with WebRTC Encoded Transform, section 5. */
interface FrameScope {
  onmessage: ((event: MessageEvent<PipeOrder>) => void) | null;
  onrtctransform: ((event: { transformer: PipeEnds & { readonly options: Piece } }) => void) | null;
  postMessage(message: unknown): void;
  reportError(error: unknown): void;
}

const scope = globalThis as unknown as FrameScope;
const pipes = new Pipes((news) => scope.postMessage(news));
scope.onmessage = ({ data }) => void pipes.take(data).catch((error: unknown) => scope.reportError(error));
scope.onrtctransform = ({ transformer }) => void pipes.run(transformer.options, transformer);
scope.postMessage({ type: 'ready' } satisfies PipeNews);
