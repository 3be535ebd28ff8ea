import { useState } from 'preact/hooks';

import { setSingleKeys, SHORTCUTS, singleKeys } from '../keys';
import { Dialog, Kbd } from '../ui/base';
import { t } from '../words';

export function Shortcuts({ onClose }: { onClose: () => void }) {
  const [single, setSingle] = useState(singleKeys());
  const group = (name: 'move' | 'talk' | 'draft') => (
    <section>
      <h3>{t.keys[name]}</h3>
      <dl class="keys">
        {SHORTCUTS.filter((one) => one.group === name).map((one) => (
          <div>
            <dt>{t.keys[one.name]}</dt>
            <dd>{!single && <Kbd>Alt</Kbd>}{(one.shown ?? one.keys).map((key, n) => <>{n > 0 && '–'}<Kbd>{key}</Kbd></>)}</dd>
          </div>
        ))}
        {name === 'talk' && [[t.keys.sendText, 'Enter'], [t.keys.newline, '⇧ Enter'], [t.keys.leave, 'Esc']].map(([text, key]) => <div><dt>{text}</dt><dd><Kbd>{key as string}</Kbd></dd></div>)}
      </dl>
    </section>
  );
  return (
    <Dialog title={t.shortcuts} onClose={onClose} wide>
      <p class="dialog-text">{t.shortcutsHint}</p>
      <div class="keys-columns">{group('move')}{group('talk')}{group('draft')}</div>
      <label class="switch-line"><input type="checkbox" checked={single} onChange={() => { setSingleKeys(!single); setSingle(!single); }} /><span>{t.singleKeys}</span></label>
    </Dialog>
  );
}
