import { TextField as Field, FieldError, Input, Label, type TextFieldProps } from 'react-aria-components';

interface Props extends Omit<TextFieldProps, 'className' | 'style' | 'children'> {
  label: string;
  placeholder?: string;
  /** `code`: digits that are read off something and typed. */
  look?: 'text' | 'code';
}

/** One line of text with its label and, when it is wrong, why. */
export function TextField({ label, placeholder, look = 'text', ...rest }: Props) {
  return (
    <Field {...rest} className="field">
      <Label className="field-label">{label}</Label>
      <Input className={`input input-${look}`} placeholder={placeholder ?? ''} />
      <FieldError className="field-error" />
    </Field>
  );
}
