/** docs/reference/client-members.md: every member of OpenTok's client typings, and what becomes of it here. */
import { type Member, membersOf, typingsText } from './opentok-typings.ts';
import { type Generator, table } from './page.ts';

type Fate = { readonly how: 'differs' | 'absent'; readonly why: string };

const absent = (why: string): Fate => ({ how: 'absent', why });
const differs = (why: string): Fate => ({ how: 'differs', why });

const noCaptions = absent('The server makes no captions. Asking for them fails with `OT_NOT_SUPPORTED`.');
const noFilters = absent(
  'Fails with `OT_NOT_SUPPORTED`. Put a track of your own through `audioSource` or `videoSource` instead.',
);
const notMeasured = absent('Nothing here measures it.');

/**
 * What is not as the typings say. A member that is not here is offered, and `tests/typings` has the compiler prove that
 * a program written for it compiles. Keys: `Owner.name`, or `Owner event name`.
 */
export const fates: Readonly<Record<string, Fate>> = {
  'OT.setProxyUrl': differs(
    'Names the platform itself: the API is asked there. OpenTok puts a proxy in front of its own.',
  ),
  'OT.getSupportedCodecs': differs('What the browser can do; the platform carries VP8, VP9 and H.264.'),
  'OT.hasMediaProcessorSupport': differs('Always false: see `setVideoMediaProcessorConnector`.'),
  'OT.registerScreenSharingExtension': absent(
    'Browsers share their screen without an extension. Throws `OT_NOT_SUPPORTED`.',
  ),
  'OT.reportIssue': absent('Reports are not collected. Fails with `OT_REPORT_ISSUE_FAILED`.'),
  'OT.initSession': differs(
    '`ipWhitelist` needs a platform with an address list; what is outside it is refused with `OT_ADDRESS_NOT_LISTED`, and relayed sessions go by relays alone. An `encryptionSecret` for a session whose frames are not encrypted makes `connect` fail. `singlePeerConnection` and `sessionMigration` are always so. `apiUrl` is ours: the address of the platform.',
  ),
  'OT.MediaProcessorConnector': noFilters,
  'OT.BackgroundBlurFilter': noFilters,
  'OT.BackgroundReplacementFilter': noFilters,
  'OT.AdvancedNoiseSuppressionFilter': noFilters,
  'OT.VideoFilter': noFilters,
  'OT.AudioFilter': noFilters,
  'OT.ScalabilityMode': absent('Layers follow the size of the picture.'),
  'OT.CaptionsLanguageCode': noCaptions,
  'OT.CpuPerformanceState': notMeasured,
  'OT.QualityScore': notMeasured,
  'Session event cpuPerformanceChanged': absent('The browser is not asked for its load, so the event does not come.'),
  'Session.signal': differs(
    '`data` may be up to 8 kB and `type` up to 128 bytes; more fails with `OT_INVALID_PARAMETER`.',
  ),
  'Publisher event videoQualityChanged': absent(
    'Not measured, so the event does not come; `getStats` has the numbers.',
  ),
  'Publisher event networkConditionChanged': absent(
    'Not measured, so the event does not come; `getStats` has the grade.',
  ),
  'Publisher.applyVideoFilter': noFilters,
  'Publisher.applyAudioFilter': noFilters,
  'Publisher.clearVideoFilter': differs('Does nothing: there is never a filter.'),
  'Publisher.clearAudioFilter': differs('Does nothing: there is never a filter.'),
  'Publisher.getVideoFilter': differs('Always null: there is never a filter.'),
  'Publisher.getAudioFilter': differs('Always null: there is never a filter.'),
  'Publisher.setVideoMediaProcessorConnector': noFilters,
  'Publisher.setAudioMediaProcessorConnector': noFilters,
  'Publisher.publishCaptions': noCaptions,
  'Publisher.setTargetScalabilityMode': absent('Layers follow the size of the picture. Throws `OT_NOT_SUPPORTED`.'),
  'Publisher.getTargetScalabilityMode': differs('Always undefined.'),
  'Publisher.getStats': differs(
    'In a routed session one entry, without `subscriberId` and `connectionId`: the stream is sent once. In a relayed one an entry for each subscriber, with its `connectionId`.',
  ),
  'Subscriber event captionReceived': noCaptions,
  'Subscriber event qualityScoreChanged': absent('Not measured, so the event does not come.'),
  'Subscriber event videoQualityChanged': absent(
    'Not measured, so the event does not come; `getStats` has the numbers.',
  ),
  'Subscriber event networkConditionChanged': absent(
    'Not measured, so the event does not come; `getStats` has the grade.',
  ),
  'Subscriber.subscribeToCaptions': noCaptions,
  'Subscriber.isSubscribedToCaptions': differs('Always false.'),
  'Subscriber.setCaptionsTranslationLanguage': noCaptions,
  'Subscriber.getCaptionsTranslationLanguage': differs('Always null.'),
  'Subscriber.setAudioMediaProcessorConnector': noFilters,
  'Subscriber.setVideoMediaProcessorConnector': noFilters,
  'Subscriber.getRtcStatsReport': differs('An entry is typed as a record of `unknown`; OpenTok has `any`.'),
  'Subscriber.getStats': differs('Without `senderStats`; the estimates of `mediaLink` for the publisher are unknown.'),
  'PublisherProperties.publishCaptions': noCaptions,
  'PublisherProperties.publishSenderStats': absent(
    'The server passes no statistics on. Fails with `OT_NOT_SUPPORTED`.',
  ),
  'PublisherProperties.videoFilter': noFilters,
  'PublisherProperties.audioFilter': noFilters,
  'PublisherProperties.audioFallback': differs(
    '`publisher` is off and `subscriber` on (off for screens) when not given. In a relayed session `publisher` alone has an effect, as with OpenTok.',
  ),
  'SubscriberProperties.subscribeToCaptions': noCaptions,
  'SubscriberProperties.captionsTranslationLanguage': noCaptions,
  'SubscriberProperties.testNetwork': absent('Fails with `OT_NOT_SUPPORTED`; `getStats` of both ends has the numbers.'),
};

/** The key of a member in `fates`. */
export function keyOf({ owner, kind, name }: Member): string {
  return kind === 'event' ? `${owner} event ${name}` : `${owner}.${name}`;
}

function section(title: string, members: readonly Member[]): string[] {
  const rows = members.map((member) => {
    const fate = fates[keyOf(member)];
    return [`\`${member.name}\``, fate?.how ?? 'offered', fate?.why ?? ''];
  });
  return ['', `## ${title}`, '', table(['Member', 'Here', 'How'], rows)];
}

export const clientMembers: Generator = {
  file: 'docs/reference/client-members.md',
  generate: () => {
    const all = membersOf(typingsText());
    const of = (owner: string, kind: Member['kind']) =>
      all.filter((member) => member.owner === owner && member.kind === kind);
    const how = (wanted: string | undefined) => all.filter((each) => fates[keyOf(each)]?.how === wanted).length;
    return [
      '# The client SDK, member by member',
      '',
      'Every member of the published typings of `@opentok/client`, and whether this SDK offers it. The compiler checks',
      'that a program written for those typings compiles against this SDK; what is absent fails with a clear error and',
      'never in silence.',
      '',
      `Of ${all.length} members ${how(undefined)} are offered as they are, ${how('differs')} differ and ${how('absent')} are absent.`,
      ...section('`OT`', of('OT', 'function')),
      ...['Session', 'Publisher', 'Subscriber'].flatMap((owner) => [
        ...section(`\`${owner}\``, of(owner, 'property')),
        ...section(`Events of \`${owner}\``, of(owner, 'event')),
      ]),
      ...['Stream', 'Connection'].flatMap((owner) => section(`\`${owner}\``, of(owner, 'property'))),
      ...section('Properties of a publisher', of('PublisherProperties', 'property')),
      ...section('Properties of a subscriber', of('SubscriberProperties', 'property')),
      ...section('Types', of('OT', 'type')),
      '',
      '## Not in the typings',
      '',
      table(
        ['Member', 'What it is'],
        [
          [
            '`session.security()`',
            'Every leg of this client with the SRTP suite that the server and this browser saw.',
          ],
          ['`cloister:leg`', 'Event of a session: a leg was allowed or refused, or this browser named its suite.'],
          [
            '`error.detail`',
            '`keysDiffer`: in a relayed session two clients have different keys, and this one has no secret. Null in other errors.',
          ],
          ['`cloister:speakers`', 'Event of a session: the loudest streams, in dBov.'],
          ['`initSession(…, { apiUrl })`', "The platform's address, when it is not the one that served the script."],
        ],
      ),
    ].join('\n');
  },
};
