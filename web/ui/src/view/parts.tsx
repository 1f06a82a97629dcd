// Small parts used in several places.

import type { ButtonHTMLAttributes, ComponentChildren } from 'preact';
import { useEffect, useRef, useState } from 'preact/hooks';
import { prefix } from '../api/client';
import { announce } from '../state/app';
import { formatRoute, go, route, type Route } from '../state/route';
import { Icon, type IconName } from './icons';

/** A link within the page: a real address, followed without loading. */
interface LinkProps {
  to: Partial<Route>;
  onFollow?: () => void;
  class?: string;
  title?: string;
  dir?: 'auto';
  'aria-current'?: 'page';
  children?: ComponentChildren;
}

export function Link({ to, onFollow, ...rest }: LinkProps) {
  const target = { ...route.value, ...to };
  return (
    <a
      {...rest}
      href={prefix + formatRoute(target)}
      onClick={(e) => {
        if (e.metaKey || e.ctrlKey || e.shiftKey || e.altKey || e.button !== 0) return;
        e.preventDefault();
        go(to);
        onFollow?.();
      }}
    />
  );
}

export function IconButton({ icon, label, class: extra = '', ...rest }: { icon: IconName; label: string } & ButtonHTMLAttributes<HTMLButtonElement>) {
  return (
    <button type="button" class={`icon-button ${extra}`} aria-label={label} title={label} {...rest}>
      <Icon name={icon} />
    </button>
  );
}

/** Copies a text and says so. */
export function CopyButton({ text, label, children }: { text: () => string; label: string; children?: ComponentChildren }) {
  const [state, set] = useState<'' | 'done' | 'failed'>('');
  useEffect(() => {
    if (!state) return;
    const timer = setTimeout(() => set(''), 2000);
    return () => clearTimeout(timer);
  }, [state]);
  const shown = state === 'done' ? 'Copied' : state === 'failed' ? 'Not copied: the browser does not allow it' : label;
  return (
    <button
      type="button"
      class={children ? 'quiet-button' : 'icon-button'}
      aria-label={children ? undefined : shown}
      title={shown}
      onClick={() =>
        copy(text()).then(
          () => (set('done'), announce('Copied.')),
          () => (set('failed'), announce('Not copied: the browser does not allow it.')),
        )
      }
    >
      <Icon name={state === 'done' ? 'check' : state === 'failed' ? 'alert' : 'copy'} />
      {children}
    </button>
  );
}

// The clipboard interface exists on https and localhost only; elsewhere a
// selection is copied.
async function copy(text: string): Promise<void> {
  if (navigator.clipboard) return navigator.clipboard.writeText(text);
  const area = document.createElement('textarea');
  area.value = text;
  area.className = 'offscreen';
  document.body.append(area);
  area.select();
  const ok = document.execCommand('copy');
  area.remove();
  if (!ok) throw new Error('not copied');
}

/** A modal dialog; Escape and a click beside it close it. */
export function Modal({ title, onClose, children, class: extra = '' }: { title: string; onClose: () => void; children: ComponentChildren; class?: string }) {
  const ref = useRef<HTMLDialogElement>(null);
  const id = `title-${title.replace(/\W+/g, '-').toLowerCase()}`;
  useEffect(() => {
    const d = ref.current!;
    const before = document.activeElement;
    d.showModal();
    return () => {
      d.close();
      if (before instanceof HTMLElement && before.isConnected) before.focus();
    };
  }, []);
  return (
    <dialog
      ref={ref}
      class={`modal ${extra}`}
      aria-labelledby={id}
      onCancel={(e) => {
        e.preventDefault();
        onClose();
      }}
      onMouseDown={(e) => e.target === ref.current && onClose()}
    >
      <div class="modal-body">
        <header class="modal-head">
          <h2 id={id}>{title}</h2>
          <IconButton icon="close" label="Close" onClick={onClose} />
        </header>
        {children}
      </div>
    </dialog>
  );
}

/** Asks before something is gone for good. */
export function Confirm({ title, text, action, run, onClose }: { title: string; text: string; action: string; run: () => Promise<void> | void; onClose: () => void }) {
  const [busy, setBusy] = useState(false);
  const [trouble, setTrouble] = useState('');
  return (
    <Modal title={title} onClose={onClose} class="modal-small">
      <p>{text}</p>
      {trouble && <p class="trouble" role="alert">{trouble}</p>}
      <div class="modal-actions">
        <button type="button" class="button" onClick={onClose}>Keep it</button>
        <button
          type="button"
          class="button button-danger"
          disabled={busy}
          onClick={async () => {
            setBusy(true);
            try {
              await run();
              onClose();
            } catch (e) {
              setTrouble(e instanceof Error ? e.message : 'That did not work.');
              setBusy(false);
            }
          }}
        >
          {action}
        </button>
      </div>
    </Modal>
  );
}

/** Counts down to a moment, then calls back once. */
export function Countdown({ until, done }: { until: number; done?: () => void }) {
  const [left, set] = useState(() => Math.ceil((until - Date.now()) / 1000));
  useEffect(() => {
    if (left <= 0) return done?.();
    const timer = setTimeout(() => set(left - 1), until - (left - 1) * 1000 - Date.now());
    return () => clearTimeout(timer);
  }, [left, until]);
  return <span class="figures">{Math.max(0, left)} s</span>;
}
