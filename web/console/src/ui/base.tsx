// The component base: small parts that look and behave the same on every page.

import type { ComponentChildren } from 'preact';
import { useEffect, useId, useLayoutEffect, useRef, useState } from 'preact/hooks';

import { desk } from '../desk';
import { useCell } from '../cell';
import { t } from '../words';
import { Icon, type IconName } from './icons';

export const cx = (...names: (string | false | null | undefined)[]): string => names.filter(Boolean).join(' ');

interface ButtonProps {
  children?: ComponentChildren;
  icon?: IconName | undefined;
  tone?: 'plain' | 'primary' | 'quiet' | 'danger' | 'model';
  small?: boolean;
  /** The shortcut, shown beside the label. */
  kbd?: string;
  /** Name and tooltip of a button that shows an icon alone. */
  label?: string;
  title?: string | undefined;
  pressed?: boolean;
  busy?: boolean;
  disabled?: boolean;
  type?: 'button' | 'submit';
  class?: string | undefined;
  onClick?: (event: MouseEvent) => void;
  'aria-expanded'?: boolean;
  'aria-haspopup'?: 'menu';
}

/** A button. Without children it is a square with an icon. */
export function Button({ children, icon, tone = 'plain', small, kbd, label, title, pressed, busy, type = 'button', disabled, class: extra, ...rest }: ButtonProps) {
  const only = children === undefined || children === null || children === false;
  return (
    <button
      {...rest}
      type={type}
      class={cx('button', `is-${tone}`, small && 'is-small', only && 'is-square', extra)}
      aria-label={label}
      title={title ?? (label && kbd ? `${label} (${kbd.toUpperCase()})` : label)}
      aria-pressed={pressed}
      aria-busy={busy || undefined}
      aria-keyshortcuts={kbd}
      disabled={disabled || busy}
    >
      {icon && <Icon name={icon} size={only ? (small ? 17 : 19) : small ? 15 : 17} />}
      {!only && <span class="button-text">{children}</span>}
      {kbd && !only && <Kbd>{kbd}</Kbd>}
    </button>
  );
}

export const Kbd = ({ children }: { children: string }) => <kbd class="kbd" aria-hidden="true">{children.length === 1 ? children.toUpperCase() : children}</kbd>;

const hue = (id: string): number => {
  let n = 7;
  for (const char of id) n = (n * 31 + (char.codePointAt(0) ?? 0)) % 9973;
  return n % 8;
};

const initials = (name: string): string => {
  const words = name.trim().split(/\s+/);
  if (/^\p{Script=Han}/u.test(name)) return Array.from(name).slice(-2).join('');
  return (words.length > 1 ? `${words[0]?.[0] ?? ''}${words.at(-1)?.[0] ?? ''}` : name.slice(0, 2)).toUpperCase();
};

/** A person, or the assistant, as a disc. Always beside a name, so it is hidden from screen readers. */
export function Avatar({ id, name, size = 'm', kind = 'agent', dot }: { id: string; name: string; size?: 's' | 'm' | 'l'; kind?: 'agent' | 'visitor' | 'model'; dot?: 'online' | 'away' | 'offline' | undefined }) {
  return (
    <span class={cx('avatar', `avatar-${size}`, `avatar-${kind}`, kind !== 'model' && `hue-${hue(id)}`)} aria-hidden="true" dir="ltr">
      {kind === 'model' ? <Icon name="spark" size={size === 's' ? 11 : 15} /> : kind === 'visitor' ? name : initials(name)}
      {dot && <span class={cx('presence', dot)} />}
    </span>
  );
}

export const Pill = ({ tone = 'plain', icon, children, title }: { tone?: 'plain' | 'wait' | 'good' | 'model' | 'agent' | 'bad' | 'hot'; icon?: IconName; children: ComponentChildren; title?: string }) => (
  <span class={cx('pill', `pill-${tone}`)} title={title}>
    {icon && <Icon name={icon} size={12} />}
    {children}
  </span>
);

export function Empty({ icon, title, children, action }: { icon: IconName; title: string; children?: ComponentChildren; action?: ComponentChildren }) {
  return (
    <div class="empty">
      <span class="empty-icon"><Icon name={icon} size={22} /></span>
      <p class="empty-title">{title}</p>
      {children && <p class="empty-text">{children}</p>}
      {action}
    </div>
  );
}

export const Spinner = ({ label }: { label?: string }) => <span class="spinner" role={label ? 'status' : undefined}><i aria-hidden="true" />{label && <span>{label}</span>}</span>;

/** A modal dialog. Esc and the backdrop close it; what had the focus gets it back. */
export function Dialog({ title, children, onClose, wide }: { title: string; children: ComponentChildren; onClose: () => void; wide?: boolean }) {
  const ref = useRef<HTMLDialogElement>(null);
  const id = useId();
  useLayoutEffect(() => {
    const before = document.activeElement;
    ref.current?.showModal();
    return () => {
      if (before instanceof HTMLElement && before.isConnected) before.focus({ preventScroll: true });
    };
  }, []);
  return (
    <dialog
      ref={ref}
      class={cx('dialog', wide && 'is-wide')}
      aria-labelledby={id}
      onCancel={(event) => { event.preventDefault(); onClose(); }}
      onPointerDown={(event) => { if (event.target === ref.current) onClose(); }}
    >
      <div class="dialog-body">
        <header class="dialog-head">
          <h2 id={id}>{title}</h2>
          <Button icon="close" tone="quiet" small label={t.close} onClick={onClose} />
        </header>
        {children}
      </div>
      {/* What stands behind an open dialog is neither seen nor read aloud. */}
      <Toasts />
    </dialog>
  );
}

/** Asks before something that can't be undone. */
export function Confirm({ title, hint, yes, danger, onYes, onClose }: { title: string; hint?: string; yes: string; danger?: boolean; onYes: () => void; onClose: () => void }) {
  return (
    <Dialog title={title} onClose={onClose}>
      {hint && <p class="dialog-text">{hint}</p>}
      <div class="dialog-actions">
        <Button onClick={onClose}>{t.cancel}</Button>
        <Button tone={danger ? 'danger' : 'primary'} onClick={() => { onClose(); onYes(); }}>{yes}</Button>
      </div>
    </Dialog>
  );
}

export interface MenuItem { label: string; icon?: IconName; kbd?: string; danger?: boolean; disabled?: boolean; checked?: boolean; hint?: string; act: () => void }

/** A button that opens a list of actions: arrow keys move, Esc closes. */
export function Menu({ label, items, children, align = 'end', button }: { label: string; items: (MenuItem | 'line')[]; children?: ComponentChildren; align?: 'start' | 'end'; button: (props: { onClick: () => void; 'aria-expanded': boolean; 'aria-haspopup': 'menu' }) => ComponentChildren }) {
  const [open, setOpen] = useState(false);
  const box = useRef<HTMLDivElement>(null);
  const close = (back: boolean) => {
    setOpen(false);
    if (back) box.current?.querySelector<HTMLElement>('[aria-haspopup]')?.focus();
  };
  useEffect(() => {
    if (!open) return;
    box.current?.querySelector<HTMLElement>('[role^=menuitem]:not(:disabled)')?.focus();
    const away = (event: PointerEvent) => { if (!box.current?.contains(event.target as Node)) setOpen(false); };
    document.addEventListener('pointerdown', away);
    return () => document.removeEventListener('pointerdown', away);
  }, [open]);
  const onKeyDown = (event: KeyboardEvent) => {
    if (!open) return;
    const all = [...(box.current?.querySelectorAll<HTMLElement>('[role^=menuitem]:not(:disabled)') ?? [])];
    const at = all.indexOf(document.activeElement as HTMLElement);
    const to = { ArrowDown: at + 1, ArrowUp: at - 1, Home: 0, End: -1 }[event.key];
    if (event.key === 'Escape') close(true);
    else if (event.key === 'Tab') setOpen(false);
    else if (to !== undefined) all.at(to % all.length)?.focus();
    // No shortcut of the page works while a menu is open.
    event.stopPropagation();
    if (event.key === 'Escape' || to !== undefined) event.preventDefault();
  };
  return (
    <div class="menu-box" ref={box} onKeyDown={onKeyDown}>
      {button({ onClick: () => setOpen(!open), 'aria-expanded': open, 'aria-haspopup': 'menu' })}
      {open && (
        <div class={cx('menu', `menu-${align}`)} role="menu" aria-label={label}>
          {children}
          {items.map((item) => (item === 'line' ? <hr role="separator" /> : (
            <button
              type="button"
              role={item.checked === undefined ? 'menuitem' : 'menuitemradio'}
              aria-checked={item.checked}
              tabIndex={-1}
              class={cx('menu-item', item.danger && 'is-danger')}
              disabled={item.disabled}
              onClick={() => { close(true); item.act(); }}
            >
              {item.icon ? <Icon name={item.icon} size={16} /> : item.checked !== undefined && <span class="menu-check">{item.checked && <Icon name="check" size={14} />}</span>}
              <span class="menu-text">{item.label}{item.hint && <small>{item.hint}</small>}</span>
              {item.kbd && <Kbd>{item.kbd}</Kbd>}
            </button>
          )))}
        </div>
      )}
    </div>
  );
}

/** A labelled field. `children` gets the ids that tie label and hint to the control. */
export function Field({ label, hint, children }: { label: string; hint?: string; children: (ids: { id: string; 'aria-describedby': string | undefined }) => ComponentChildren }) {
  const id = useId();
  return (
    <div class="field">
      <label for={id}>{label}</label>
      {children({ id, 'aria-describedby': hint ? `${id}h` : undefined })}
      {hint && <p class="field-hint" id={`${id}h`}>{hint}</p>}
    </div>
  );
}

/** One of a few: looks like one bar, is a group of radio buttons to the keyboard. */
export function Segments<T extends string>({ label, value, options, onChange }: { label: string; value: T; options: [T, string][]; onChange: (value: T) => void }) {
  const name = useId();
  return (
    <fieldset class="segments">
      <legend class="unseen">{label}</legend>
      {options.map(([key, text]) => (
        <label class={cx('segment', key === value && 'is-on')}>
          <input type="radio" name={name} value={key} checked={key === value} onChange={() => onChange(key)} />
          <span>{text}</span>
        </label>
      ))}
    </fieldset>
  );
}

export function Toasts() {
  const toasts = useCell(desk, () => desk.toasts);
  return (
    <div class="toasts" role="status" aria-live="polite">
      {toasts.map((toast) => (
        <div key={toast.id} class={cx('toast', `toast-${toast.tone}`)}>
          <span>{toast.text}</span>
          {toast.action && <button type="button" class="toast-action" onClick={() => { desk.dismiss(toast.id); toast.action?.act(); }}>{toast.action.label}</button>}
          <button type="button" class="toast-close" aria-label={t.close} onClick={() => desk.dismiss(toast.id)}><Icon name="close" size={14} /></button>
        </div>
      ))}
    </div>
  );
}

/** A bar of a share, 0…1, with its number beside it for everybody. */
export const Meter = ({ share, tone = 'plain' }: { share: number; tone?: string }) => (
  <svg class={cx('meter', `meter-${tone}`)} viewBox="0 0 100 4" preserveAspectRatio="none" aria-hidden="true">
    <rect class="meter-rail" width="100" height="4" rx="2" />
    <rect class="meter-fill" width={Math.max(0, Math.min(100, share * 100))} height="4" rx="2" />
  </svg>
);
