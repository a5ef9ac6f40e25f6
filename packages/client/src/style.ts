/** OpenTok's display modes of a view's parts, and the one stylesheet behind them. */
type Mode = 'auto' | 'on' | 'off';

export interface WidgetStyle {
  audioLevelDisplayMode: Mode;
  backgroundImageURI: string;
  buttonDisplayMode: Mode;
  nameDisplayMode: Mode;
  videoDisabledDisplayMode: Mode;
}
export type PublisherStyle = WidgetStyle & { archiveStatusDisplayMode: 'auto' | 'off' };
export type SubscriberStyle = WidgetStyle & { audioBlockedDisplayMode: Mode };

const common: WidgetStyle = {
  audioLevelDisplayMode: 'auto',
  backgroundImageURI: '',
  buttonDisplayMode: 'auto',
  nameDisplayMode: 'auto',
  videoDisabledDisplayMode: 'auto',
};
export const publisherStyle: PublisherStyle = { ...common, archiveStatusDisplayMode: 'auto' };
export const subscriberStyle: SubscriberStyle = { ...common, audioBlockedDisplayMode: 'auto' };

const css = `
.OT_root{position:relative;overflow:hidden;background:#14181d;color:#fff;font:14px/1.3 system-ui,sans-serif;min-width:48px;min-height:36px}
.OT_root .OT_widget-container{position:absolute;inset:0}
.OT_root .OT_video-element{width:100%;height:100%;display:block;object-fit:cover;background:transparent}
.OT_root.OT_fit-mode-contain .OT_video-element{object-fit:contain}
.OT_root.OT_mirrored .OT_video-element{transform:scaleX(-1)}
.OT_root .OT_video-poster{position:absolute;inset:0;display:none;align-items:center;justify-content:center;background:#14181d center/contain no-repeat}
.OT_root.OT_audio-only .OT_video-poster,.OT_root.OT_video-disabled .OT_video-poster{display:flex}
.OT_root.OT_audio-only .OT_video-element,.OT_root.OT_video-disabled .OT_video-element{visibility:hidden}
.OT_root .OT_initials{width:64px;height:64px;border-radius:50%;background:#2f5d8a;display:flex;align-items:center;justify-content:center;font-size:24px}
.OT_root .OT_initials:empty{display:none}
.OT_root.OT_loading .OT_video-loading{display:block}
.OT_root .OT_video-loading{display:none;position:absolute;left:50%;top:50%;width:28px;height:28px;margin:-14px;border-radius:50%;border:3px solid #fff6;border-top-color:#fff;animation:OT_spin 1s linear infinite}
@keyframes OT_spin{to{transform:rotate(360deg)}}
@media (prefers-reduced-motion:reduce){.OT_root .OT_video-loading{animation:none}}
.OT_root .OT_bar{position:absolute;left:0;right:0;bottom:0;display:flex;gap:8px;align-items:center;padding:6px 8px;background:linear-gradient(transparent,#000c);min-height:32px;box-sizing:border-box}
.OT_root .OT_name{flex:1;margin:0;overflow:hidden;text-overflow:ellipsis;white-space:nowrap;font-size:14px;font-weight:400}
.OT_root .OT_mute{font:inherit;color:#fff;background:#0009;border:1px solid #fff9;border-radius:4px;padding:2px 8px;cursor:pointer}
.OT_root .OT_mute:focus-visible{outline:2px solid #ffd54a;outline-offset:2px}
.OT_root .OT_mute.OT_active{background:#b3261e}
.OT_root .OT_mode-off{display:none!important}
.OT_root .OT_bar .OT_mode-auto{opacity:0;transition:opacity .15s}
.OT_root:hover .OT_bar .OT_mode-auto,.OT_root:focus-within .OT_bar .OT_mode-auto{opacity:1}
@media (hover:none){.OT_root .OT_bar .OT_mode-auto{opacity:1}}
.OT_root .OT_audio-level-meter{position:absolute;right:8px;top:8px;width:40px;height:8px;border-radius:4px;background:#fff3;overflow:hidden}
.OT_root .OT_audio-level-meter.OT_mode-auto{display:none}
.OT_root.OT_audio-only .OT_audio-level-meter.OT_mode-auto,.OT_root.OT_video-disabled .OT_audio-level-meter.OT_mode-auto{display:block}
.OT_root .OT_audio-level-meter__value{height:100%;width:100%;background:#5ad67d;transform-origin:left;transform:scaleX(0)}
.OT_root .OT_video-disabled{position:absolute;left:8px;top:8px;padding:2px 6px;border-radius:4px;background:#000a;display:none}
.OT_root .OT_video-disabled.OT_active,.OT_root .OT_video-disabled.OT_warning{display:block}
.OT_root .OT_audio-blocked{position:absolute;left:50%;top:50%;transform:translate(-50%,-50%);display:none;font:inherit;padding:8px 12px;border:0;border-radius:4px;cursor:pointer}
.OT_root .OT_audio-blocked.OT_active{display:block}
.OT_root .OT_archiving{position:absolute;left:8px;bottom:36px;width:10px;height:10px;border-radius:50%;background:#e5484d}
.OT_root .OT_archiving-off{display:none}
`;

let sheet: CSSStyleSheet | undefined;

/**
 * Puts the stylesheet on the page, once. As a sheet that the script constructs, which a page's Content-Security-Policy
 * does not count as inline style; a browser from before those (Safari 16.3) gets a style element.
 * Source: CSSOM 1, section 6.1 (adoptedStyleSheets); CSP 3, section 8.2.
 */
export function injectStyle(): void {
  const adopted: CSSStyleSheet[] | undefined = document.adoptedStyleSheets;
  if (adopted && typeof CSSStyleSheet.prototype.replaceSync === 'function') {
    if (sheet && adopted.includes(sheet)) return;
    sheet = new CSSStyleSheet();
    sheet.replaceSync(css);
    document.adoptedStyleSheets = [...adopted, sheet];
  } else if (!document.querySelector('style[data-cloister]')) {
    const style = document.createElement('style');
    style.dataset.cloister = '';
    style.textContent = css;
    document.head.append(style);
  }
}

/** A change of style as `setStyle` takes it: one key and its value, or several. */
export function styleChange<Style extends object>(
  keyOrAll: keyof Style | Partial<Style>,
  value: unknown,
): Partial<Style> {
  return typeof keyOrAll === 'object' ? keyOrAll : ({ [keyOrAll]: value } as Partial<Style>);
}
