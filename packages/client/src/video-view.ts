/**
 * The picture on the page: OpenTok's elements and classes, which applications' style sheets and tests name.
 */
import type { Dimensions } from './events.ts';
import { injectStyle, type WidgetStyle } from './style.ts';

export interface WidgetProperties {
  fitMode?: 'cover' | 'contain';
  insertDefaultUI?: boolean;
  insertMode?: 'replace' | 'after' | 'before' | 'append';
  showControls?: boolean;
  width?: string | number;
  height?: string | number;
}

export interface ViewOptions extends WidgetProperties {
  readonly kind: 'publisher' | 'subscriber';
  readonly target: HTMLElement | string | undefined;
  readonly name: string;
  readonly initials: string;
  readonly mirror: boolean;
  readonly style: WidgetStyle & { audioBlockedDisplayMode?: string };
}

export interface ViewObserver {
  /** The mute button was pressed. */
  muteToggled(): void;
  /** The button that plays held-back sound was pressed. */
  unblock(): void;
  /** The picture's own size, when it is known and whenever it changes. */
  resized(dimensions: Dimensions): void;
  /** The first picture (or sound, where there is no picture) plays. */
  playing(): void;
}

let lastId = 0;

/** Has the page load what its first view needs, the style and the media player, before somebody waits for it. */
export function prepareViews(): void {
  injectStyle();
  document.createElement('video');
}

export class VideoView {
  /** The container on the page; undefined without the default UI. */
  readonly root: HTMLElement | undefined;
  readonly id: string;
  readonly video: HTMLVideoElement;
  readonly #options: ViewOptions;
  readonly #parts: Parts | null;

  constructor(options: ViewOptions, observer: ViewObserver) {
    this.#options = options;
    this.id = `OT_${crypto.randomUUID?.() ?? ++lastId}`;
    this.video = makeVideo(options.kind);
    this.video.addEventListener('resize', () => {
      const { videoWidth: width, videoHeight: height } = this.video;
      if (width > 0 && height > 0) observer.resized({ width, height });
    });
    this.video.addEventListener('playing', () => {
      this.root?.classList.remove('OT_loading');
      observer.playing();
    });
    if (options.insertDefaultUI === false) {
      this.root = undefined;
      this.#parts = null;
      return;
    }
    injectStyle();
    this.root = place(options, this.id);
    this.id = this.root.id;
    this.#parts = makeParts(options, observer);
    this.root.append(...Object.values(this.#parts));
    this.#parts.container.prepend(this.video);
    this.setStyle(options.style);
  }

  setStyle(style: WidgetStyle & { audioBlockedDisplayMode?: string }): void {
    const parts = this.#parts;
    if (!parts || !this.root) return;
    const controls = this.#options.showControls !== false;
    mode(parts.meter, controls ? style.audioLevelDisplayMode : 'off');
    mode(parts.blocked, controls ? (style.audioBlockedDisplayMode ?? 'off') : 'off');
    mode(parts.disabled, controls ? style.videoDisabledDisplayMode : 'off');
    const [name, mute] = parts.bar.children as unknown as [HTMLElement, HTMLElement];
    mode(name, controls && this.#options.name ? style.nameDisplayMode : 'off');
    mode(mute, controls ? style.buttonDisplayMode : 'off');
    const poster = parts.container.querySelector<HTMLElement>('.OT_video-poster');
    if (poster) poster.style.backgroundImage = backgroundOf(style.backgroundImageURI);
  }

  /** What is played; null for nothing. */
  set stream(stream: MediaStream | null) {
    this.video.srcObject = stream;
  }

  /** The wheel turns until the next picture. */
  awaitPicture(): void {
    this.root?.classList.add('OT_loading');
    const arrived = () => this.root?.classList.remove('OT_loading');
    if ('requestVideoFrameCallback' in this.video) this.video.requestVideoFrameCallback(arrived);
    else (this.video as HTMLVideoElement).addEventListener('timeupdate', arrived, { once: true });
  }

  /** Nothing is to be seen, so nothing is waited for. */
  noPicture(): void {
    this.root?.classList.remove('OT_loading');
  }

  /** Whether the poster covers the picture, because there is none (`audio-only`) or it is off (`video-disabled`). */
  showPicture(shown: boolean): void {
    this.root?.classList.toggle('OT_audio-only', !shown);
    if (!shown) this.root?.classList.remove('OT_loading');
  }

  showMuted(muted: boolean): void {
    const mute = this.#parts?.bar.querySelector<HTMLButtonElement>('.OT_mute');
    if (!mute) return;
    mute.classList.toggle('OT_active', muted);
    mute.setAttribute('aria-pressed', String(muted));
    mute.textContent = muted ? 'Unmute' : 'Mute';
  }

  /** The network: `warning` before the picture goes, `active` while it is gone. */
  showNetwork(state: 'good' | 'warning' | 'off'): void {
    this.root?.classList.toggle('OT_video-disabled', state === 'off');
    const disabled = this.#parts?.disabled;
    if (!disabled) return;
    disabled.classList.toggle('OT_warning', state === 'warning');
    disabled.classList.toggle('OT_active', state === 'off');
    disabled.textContent = state === 'off' ? 'Poor network: sound only' : 'Poor network';
  }

  /** Why there is no picture though one is sent, in words instead of a black tile; null when there is one again. */
  showWhyDark(why: string | null): void {
    const disabled = this.#parts?.disabled;
    if (!disabled) return;
    disabled.classList.toggle('OT_active', why !== null);
    disabled.textContent = why ?? '';
  }

  showBlocked(blocked: boolean): void {
    this.#parts?.blocked.classList.toggle('OT_active', blocked);
  }

  showArchiving(archiving: boolean): void {
    const dot = this.root?.querySelector('.OT_archiving');
    dot?.classList.toggle('OT_archiving-on', archiving);
    dot?.classList.toggle('OT_archiving-off', !archiving);
  }

  /** @param level from 0 to 1; shown on a logarithmic scale, since ears have one */
  showLevel(level: number): void {
    const value = this.#parts?.meter.firstElementChild as HTMLElement | null | undefined;
    if (value) value.style.transform = `scaleX(${level > 0 ? Math.max(0, 1 + Math.log10(level) / 2.5) : 0})`;
  }

  set mirrored(mirrored: boolean) {
    this.root?.classList.toggle('OT_mirrored', mirrored);
  }

  /** A PNG of the current picture in base64, without the `data:` prefix; null while there is none. */
  image(): string | null {
    const { videoWidth, videoHeight } = this.video;
    if (videoWidth === 0 || videoHeight === 0) return null;
    const canvas = document.createElement('canvas');
    canvas.width = videoWidth;
    canvas.height = videoHeight;
    canvas.getContext('2d')?.drawImage(this.video, 0, 0);
    return canvas.toDataURL('image/png').replace(/^data:image\/png;base64,/, '');
  }

  remove(): void {
    this.video.srcObject = null;
    this.video.remove();
    this.root?.remove();
  }
}

interface Parts {
  container: HTMLElement;
  meter: HTMLElement;
  disabled: HTMLElement;
  archiving: HTMLElement;
  blocked: HTMLElement;
  bar: HTMLElement;
}

function makeVideo(kind: ViewOptions['kind']): HTMLVideoElement {
  const video = document.createElement('video');
  video.className = 'OT_video-element';
  video.autoplay = true;
  video.playsInline = true;
  video.disablePictureInPicture = true;
  // One's own sound is never played back.
  video.muted = kind === 'publisher';
  return video;
}

function makeParts(options: ViewOptions, observer: ViewObserver): Parts {
  const container = element('div', 'OT_widget-container');
  const poster = element('div', 'OT_video-poster');
  const initials = element('div', 'OT_initials');
  initials.textContent = options.initials;
  initials.setAttribute('aria-hidden', 'true');
  poster.append(initials);
  const loading = element('div', 'OT_video-loading');
  container.append(poster, loading);
  const meter = element('div', 'OT_audio-level-meter');
  meter.append(element('div', 'OT_audio-level-meter__value'));
  meter.setAttribute('aria-hidden', 'true');
  const disabled = element('div', 'OT_video-disabled');
  disabled.setAttribute('role', 'status');
  const archiving = element('div', 'OT_archiving OT_archiving-off');
  archiving.setAttribute('role', 'img');
  archiving.setAttribute('aria-label', 'Recording');
  const blocked = button('OT_audio-blocked', 'Play sound', () => observer.unblock());
  const name = element('div', 'OT_name OT_edge-bar-item');
  name.textContent = options.name;
  const mute = button('OT_mute OT_edge-bar-item', 'Mute', () => observer.muteToggled());
  mute.setAttribute('aria-pressed', 'false');
  mute.setAttribute(
    'aria-label',
    options.kind === 'publisher' ? 'Mute my microphone' : `Mute ${options.name || 'this participant'}`,
  );
  const bar = element('div', 'OT_bar');
  bar.append(name, mute);
  return { container, meter, disabled, archiving, blocked, bar };
}

function element(tag: string, className: string): HTMLElement {
  const made = document.createElement(tag);
  made.className = className;
  return made;
}

function button(className: string, label: string, pressed: () => void): HTMLButtonElement {
  const made = document.createElement('button');
  made.type = 'button';
  made.className = className;
  made.textContent = label;
  made.addEventListener('click', pressed);
  return made;
}

function mode(part: HTMLElement, value: string): void {
  for (const each of ['auto', 'on', 'off']) part.classList.toggle(`OT_mode-${each}`, each === value);
}

function backgroundOf(uri: string): string {
  if (!uri || uri === 'off') return '';
  const image = uri.startsWith('data:') || /^https?:/.test(uri) ? uri : `data:image/png;base64,${uri}`;
  return `url(${JSON.stringify(image)})`;
}

/** Finds or makes the container by OpenTok's `insertMode`; without a target it goes at the end of the page. */
function place(options: ViewOptions, id: string): HTMLElement {
  const { target, insertMode = 'replace' } = options;
  const found = typeof target === 'string' ? document.getElementById(target) : target;
  const replaces = found && insertMode === 'replace';
  const root = replaces ? found : document.createElement('div');
  if (!found) {
    if (typeof target === 'string') root.id = target;
    document.body.append(root);
  } else if (replaces) root.replaceChildren();
  else if (insertMode === 'append') found.append(root);
  else if (insertMode === 'before') found.before(root);
  else found.after(root);
  root.id ||= id;
  root.classList.add('OT_root', `OT_${options.kind}`, 'OT_loading', `OT_fit-mode-${options.fitMode ?? 'cover'}`);
  root.classList.toggle('OT_mirrored', options.mirror);
  root.setAttribute('role', 'group');
  root.setAttribute('aria-label', options.name || (options.kind === 'publisher' ? 'My video' : 'Participant video'));
  root.style.width = length(options.width ?? 264);
  root.style.height = length(options.height ?? 198);
  return root;
}

function length(value: string | number): string {
  return typeof value === 'number' || /^\d+$/.test(value) ? `${value}px` : value;
}
